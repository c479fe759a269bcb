// Words of the first steps. What stands between backquotes is typed.
export const first = {
  device: { android: "Android phone", tablet: "Android tablet", unknown: "Browser", browser: (system: string) => `${system} browser` },
  next: {
    later: "Not now",
    pairTitle: "Next: pair a computer",
    pair: "On the computer, run `kr pair`. It shows a code to scan. If `kr` is new there, `kr setup` comes first.",
    loginTitle: "Next: log in",
    login: <T>(computer: T) => ["On ", computer, ", put the key where you want to log in:"],
    commands: ["kr key add-host user@server", "kr key add-to github"],
    ssh: "Then use `ssh` and `git` as always: each login asks here.",
    installTitle: "Next: install the app",
    install: "It then opens like any other app, and the browser keeps its keys more surely. Nothing has to be made again.",
    installIt: "Install",
  },
};
