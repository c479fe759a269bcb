// Words about Bluetooth.
export const bluetooth = {
  nearby: "nearby, without internet",
  connect: "Connect by Bluetooth", end: "End Bluetooth",
  idle: "For when there is no internet, while the computer is near and this page is open. Let it ask for something, then choose it in the list that appears.",
  unused: "For logins without internet. This computer does not use it yet: run kr channel add bluetooth there.",
  pairing: "While kr pair shows the code, tap, and choose the computer in the list that appears.",
  up: "Connected. It works without internet while this page is open.",
  down: "Not connected now. When Bluetooth is on, and the computer is near and asks, this page connects by itself, until it is closed.",
  off: "Bluetooth is off on this device, or it has none. Turn it on, then try again.",
  nothing: "Nothing was chosen. Is Bluetooth on? A computer is in the list only while it asks or pairs: let it ask for something, then try again.",
  late: "The browser did not take that for a tap: tap once more.",
  denied: "This browser may not use Bluetooth. Allow Nearby devices or Bluetooth for it in the settings of this phone, then try again.",
  disabled: "Bluetooth is turned off for pages in this browser: by its settings, or by who manages it.",
  failed: (why: string) => `Bluetooth did not start: ${why}`,
  none: (secure: boolean, apple: boolean): string => {
    if (!secure) return "Not possible here: Bluetooth is only for pages that came by https.";
    if (apple) return "Not possible here: no browser on an iPhone or iPad lets pages use Bluetooth.";
    return "Not possible in this browser: it has no Web Bluetooth. Chrome and Edge have it, Firefox and Safari do not.";
  },
};
