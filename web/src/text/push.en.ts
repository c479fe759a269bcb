// Words about notifications.
const onlyOpen = "Requests show only while this app is open.";

export const push = {
  title: "Notifications",
  nextTitle: "Next: turn on notifications",
  why: "A computer that asks does not wait long. Notifications reach you also while this app is closed. Only computers that you paired can send them.",
  turnOn: "Turn on notifications", again: "Try again",
  state: {
    none: "Not possible in this browser", home: "Only from the Home Screen", ask: "Off", denied: "Not allowed",
    working: "Turning on…", on: "On", failed: "Not working",
  },
  says: {
    none: onlyOpen, ask: onlyOpen,
    home: "Tap Share, then Add to Home Screen. Make a key there and pair again: nothing in this tab comes along.",
    working: "If the browser asks, allow it.",
    on: "Requests reach you also while this app is closed.",
  },
  allow: {
    installed: "Allow them in the settings of this phone, under Notifications, Kryptonite.",
    browser: "Tap the icon beside the address, then Permissions, and allow notifications.",
  },
  hint: { home: "Notifications work only from the Home Screen.", denied: "Notifications are not allowed.", failed: "Notifications do not work." },
  lockScreen: "Allow from the lock screen",
  lockScreenSays: "Whoever holds this phone can then allow logins with a weaker key without unlocking the phone. Other keys open the app. Reject always works there.",
  tellRules: "Say what rules allowed",
  tellRulesSays: "A quiet notification when a rule let a login through.",
};
