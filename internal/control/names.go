package control

// HomeVariable names another state directory than HomeName in the home directory.
const (
	HomeVariable = "KR_HOME"
	HomeName     = ".kr"
)

// Names in krd's state directory.
const (
	AgentSocket = "agent.sock"
	Socket      = "krd.sock"
	LogFile     = "krd.log"
	LockFile    = "krd.lock"
)
