// Words of the app's versions.
export const update = {
  title: "A new version is there.", says: "It runs once you tap Update, not before.", go: "Update",
  version: "Version", offline: "Without its server", unknown: "not known yet", yes: "starts", no: "does not start",
};
