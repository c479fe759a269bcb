package upload

import (
	"strings"

	"kryptonite/internal/sshwire"
)

// Types of keys, as far as services make a difference.
const (
	ecdsa   = "ecdsa-sha2-nistp256"
	passkey = sshwire.KeyPasskey
)

// Service is one row of the table: where public keys can be put, and how. Texts
// in it may name {host}, {key} (the line), {key64} (that, in base64), {title},
// {file} (one that has the line) and {self} (see api).
type Service struct {
	Name  string // as people type it
	Title string // as it calls itself
	Where where  // {host}
	Page  string // where a person can paste a key
	Note  string // what else a person should know; "": nothing

	refused map[string]string // type of key → why the service does not take it
	ascii   bool              // a title may have no other characters
	tool    tool
	api     api
}

// where is what a service calls {host}: a server of one's own, or a region.
type where struct {
	What string   // for people; "": there is nothing to say
	Def  string   // what it is if nobody says; "": it must be said, or is needed by the API only
	Must bool     // it must be said
	env  []string // variables that say it
	form string   // a regular expression; "": nothing may be said
}

// tool is the service's own program.
type tool struct {
	name      string // "": there is none
	list, add []string
	env       []string // what it gets beside ours; a line with {host} only if that is known
	login     string   // what a person types to sign in

	counts func(list []byte) []byte // the keys in a list that log in; nil: all
}

// api is the service's HTTP API. Its paths are below base. With self, it is asked
// first who the token's holder is: {self} is the field of that name.
type api struct {
	base      string
	bases     map[string]string // other bases, by how {host} ends
	self      string
	selfField string
	list, add call
	counts    func(list []byte) []byte // the keys in a list that log in; nil: all
	accept    string
	version   string   // a header, "name: value"; "": none
	auth      auth     // nil: by bearer token
	env       []string // variables that hold the token, the first goes first
	right     string   // what the token must be allowed
}

// call is one request. Without a body it is a GET.
type call struct {
	path string
	body map[string]string
	form bool // the body is a form, not JSON
}

// Services is the table, in the order in which people are told of them.
func Services() []Service {
	const host = `^[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?$`
	github := api{
		base: "https://api.github.com", bases: map[string]string{".ghe.com": "https://api.{host}"},
		list: call{path: "/user/keys?per_page=100"}, add: call{path: "/user/keys", body: map[string]string{"title": "{title}", "key": "{key}"}},
		accept: "application/vnd.github+json", version: "X-GitHub-Api-Version: 2022-11-28",
		env: []string{"GH_TOKEN", "GITHUB_TOKEN"}, right: "admin:public_key, or of a fine-grained one: Git SSH keys, write",
	}
	gh := tool{name: "gh", list: []string{"ssh-key", "list"}, add: []string{"ssh-key", "add", "{file}", "--title", "{title}"},
		env: []string{"GH_HOST={host}", "GH_PROMPT_DISABLED=1"}, login: "gh auth login --hostname {host} --scopes admin:public_key", counts: loginRows}
	enterprise := github
	enterprise.base = "https://{host}/api/v3"
	enterprise.env = []string{"GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"}
	return []Service{
		{
			Name: "github", Title: "GitHub", Where: where{Def: "github.com"}, Page: "https://github.com/settings/ssh/new", tool: gh, api: github,
		},
		{
			Name: "github-enterprise", Title: "GitHub Enterprise", Where: where{What: "HOST", Must: true, env: []string{"GH_HOST"}, form: host},
			Page: "https://{host}/settings/ssh/new", tool: gh, api: enterprise,
		},
		{
			Name: "gitlab", Title: "GitLab", Where: where{What: "HOST", Def: "gitlab.com", env: []string{"GITLAB_HOST"}, form: host},
			Page: "https://{host}/-/user_settings/ssh_keys",
			tool: tool{name: "glab", list: []string{"ssh-key", "list"}, add: []string{"ssh-key", "add", "{file}", "--title", "{title}"},
				env: []string{"GITLAB_HOST={host}", "NO_PROMPT=1"}, login: "glab auth login --hostname {host}", counts: loginRows},
			api: api{base: "https://{host}/api/v4", list: call{path: "/user/keys?per_page=100"}, counts: loginObjects,
				add: call{path: "/user/keys", body: map[string]string{"title": "{title}", "key": "{key}"}},
				env: []string{"GITLAB_TOKEN"}, right: "api"},
		},
		{
			Name: "bitbucket", Title: "Bitbucket Cloud", Where: where{Def: "bitbucket.org"}, Page: "https://bitbucket.org/account/settings/ssh-keys/",
			refused: map[string]string{passkey: "Bitbucket Cloud lists Ed25519, ECDSA and RSA keys only"},
			api: api{base: "https://api.bitbucket.org/2.0", self: "/user", selfField: "uuid", list: call{path: "/users/{self}/ssh-keys?pagelen=100"},
				add:  call{path: "/users/{self}/ssh-keys", body: map[string]string{"label": "{title}", "key": "{key}"}},
				auth: bearerOrBasic, env: []string{"BITBUCKET_TOKEN", "BITBUCKET_OAUTH_TOKEN"},
				right: "read:user, read:ssh-key and write:ssh-key; an API token is written as EMAIL:TOKEN"},
		},
		{
			Name: "digitalocean", Title: "DigitalOcean", Where: where{Def: "digitalocean.com"}, Page: "https://cloud.digitalocean.com/account/security",
			Note: "Only Droplets that are made from now on can get this key; on others: kr key add-host",
			tool: tool{name: "doctl", list: []string{"compute", "ssh-key", "list", "--output", "json"},
				add: []string{"compute", "ssh-key", "import", "{title}", "--public-key-file", "{file}"}, login: "doctl auth init"},
			api: api{base: "https://api.digitalocean.com/v2", list: call{path: "/account/keys?per_page=200"},
				add: call{path: "/account/keys", body: map[string]string{"name": "{title}", "public_key": "{key}"}},
				env: []string{"DIGITALOCEAN_ACCESS_TOKEN", "DIGITALOCEAN_TOKEN"}, right: "ssh_key:read and ssh_key:create"},
		},
		{
			Name: "heroku", Title: "Heroku", Where: where{Def: "heroku.com"}, Page: "https://dashboard.heroku.com/account",
			Note:    "Heroku takes no git over SSH since November 2021: the key is for tunnels into Private Spaces",
			refused: map[string]string{ecdsa: "Heroku takes Ed25519 and RSA keys only", passkey: "Heroku takes Ed25519 and RSA keys only"},
			tool:    tool{name: "heroku", list: []string{"keys", "--json"}, add: []string{"keys:add", "{file}", "--yes"}, login: "heroku login"},
			api: api{base: "https://api.heroku.com", list: call{path: "/account/keys"}, add: call{path: "/account/keys", body: map[string]string{"public_key": "{key}"}},
				accept: "application/vnd.heroku+json; version=3", env: []string{"HEROKU_API_KEY"}, right: "global, or write-protected"},
		},
		{
			Name: "aws", Title: "Amazon EC2", ascii: true,
			Where: where{What: "REGION", env: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}, form: `^[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}$`},
			Page:  "https://console.aws.amazon.com/ec2/home#ImportKeyPair:",
			Note:  "Key pairs are kept by region, and only instances that are made from now on can get this one; on others: kr key add-host",
			refused: map[string]string{ecdsa: "Amazon EC2 takes Ed25519 and RSA keys only",
				passkey: "Amazon EC2 takes Ed25519 and RSA keys only"},
			tool: tool{name: "aws", list: []string{"ec2", "describe-key-pairs", "--include-public-key", "--output", "json"},
				add: []string{"ec2", "import-key-pair", "--key-name", "{title}", "--public-key-material", "fileb://{file}", "--output", "json"},
				env: []string{"AWS_REGION={host}", "AWS_PAGER="}, login: "aws configure"},
			api: api{base: "https://ec2.{host}.amazonaws.com",
				list: call{path: "/", form: true, body: map[string]string{"Action": "DescribeKeyPairs", "IncludePublicKey": "true", "Version": "2016-11-15"}},
				add: call{path: "/", form: true, body: map[string]string{"Action": "ImportKeyPair", "KeyName": "{title}",
					"PublicKeyMaterial": "{key64}", "Version": "2016-11-15"}},
				auth: signV4, env: []string{awsVariables}, right: "ec2:DescribeKeyPairs and ec2:ImportKeyPair"},
		},
		{
			Name: "gcp", Title: "Google Cloud OS Login", Where: where{Def: "google.com"}, Page: "https://console.cloud.google.com/compute/metadata?tab=sshkeys",
			Note: "It is for instances with OS Login (enable-oslogin=TRUE); on others: kr key add-host",
			tool: tool{name: "gcloud", list: []string{"compute", "os-login", "describe-profile", "--format=json"},
				add: []string{"compute", "os-login", "ssh-keys", "add", "--key-file={file}", "--format=json"},
				env: []string{"CLOUDSDK_CORE_DISABLE_PROMPTS=1"}, login: "gcloud auth login"},
			api: api{base: "https://oslogin.googleapis.com/v1", self: "https://openidconnect.googleapis.com/v1/userinfo", selfField: "email",
				list: call{path: "/users/{self}/loginProfile"}, add: call{path: "/users/{self}:importSshPublicKey", body: map[string]string{"key": "{key}"}},
				env: []string{"CLOUDSDK_AUTH_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN"}, right: "cloud-platform and userinfo.email"},
		},
	}
}

// Find returns the service of that name.
func Find(name string) (Service, bool) {
	for _, s := range Services() {
		if s.Name == strings.ToLower(name) {
			return s, true
		}
	}
	return Service{}, false
}
