# Shared by the scripts: checks what they need, and installs it where they may.
# POSIX sh; meant to be sourced from the project's root.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# need_go: Go of go.mod's version or newer.
need_go() {
	command -v go >/dev/null 2>&1 || die "Go is missing; install Go 1.26 or newer from https://go.dev/dl"
	have=$(go env GOVERSION | sed 's/^go//')
	case "$have" in
	1.*) minor=${have#1.}; minor=${minor%%.*} ;;
	*) minor=99 ;;
	esac
	[ "${minor%%[!0-9]*}" -ge 26 ] || die "Go $have is too old; install Go 1.26 or newer from https://go.dev/dl"
}

# release_go: from here on the Go that releases are built with, go.mod's toolchain. The
# go command fetches it as a module, checked against Go's checksum database.
release_go() {
	GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod) && export GOTOOLCHAIN
	[ -n "$GOTOOLCHAIN" ] || die "go.mod names no toolchain"
}

# need PROGRAM PACKAGE: a program, from a Debian package if it is missing.
need() {
	command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing="$missing $2"
}

# need_file PATTERN PACKAGE: the same for a file.
need_file() {
	ls $1 >/dev/null 2>&1 || missing="$missing $2"
}

# install_missing installs what need found, by apt-get as root or by sudo.
install_missing() {
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null 2>&1 || die "please install:$missing"
	as=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null || die "please install, as root: apt-get install$missing"
		as=sudo
	fi
	say "installing:$missing"
	$as apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $as apt-get install -y -qq --no-install-recommends $missing >/dev/null
	missing=
}
missing=

# npm_bring DIR SECONDS: what its lock file names, unless it is there.
npm_bring() {
	[ ! "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] || return 0
	(cd "$1" && timeout "$2" npm ci --silent --no-audit --no-fund --ignore-scripts) >/dev/null 2>&1
}

# fuzz_packages FUNCTION ARGUMENT: the function for each directory with fuzz targets, one on each core.
fuzz_packages() {
	git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sort -u |
		xargs -n1 -P "$(getconf _NPROCESSORS_ONLN)" sh -c '. script/lib.sh; "$@"' "$0" "$@"
}

# fuzz_all builds every fuzz target, and runs it for FUZZTIME on one core.
fuzz_all() {
	FUZZ_DIR=$(mktemp -d) && export FUZZ_DIR || return
	fuzz_build && fuzz_run
	fuzz_rc=$?
	rm -rf "$FUZZ_DIR"
	return $fuzz_rc
}

# fuzz_build builds all targets into FUZZ_DIR, a program for each package.
fuzz_build() { fuzz_packages fuzz_compile; }
fuzz_compile() { go test -c -fuzz . -ldflags=-w -o "$FUZZ_DIR/$1/test" "./$1" || { say "FAIL $1"; return 1; }; }

# fuzz_run runs each of them for FUZZTIME.
fuzz_run() { fuzz_packages fuzz_package "$FUZZTIME"; }

# fuzz_package FUZZTIME DIR: the targets of a package. It shows what fails, at the end.
fuzz_package() {
	fuzz_dir=$FUZZ_DIR/$2
	fuzz_out=$fuzz_dir/out
	fuzz_bad=0
	for f in $(grep -h '^func Fuzz' "$2"/*_test.go | sed 's/func \(Fuzz[A-Za-z0-9_]*\).*/\1/' | sort -u); do
		if fuzz_one "$1" "$2" "$f" || { fuzz_late && fuzz_one "$1" "$2" "$f"; }; then
			say "ok   $2 $f"
		else
			cat "$fuzz_out"
			say "FAIL $2 $f"
			fuzz_bad=1
		fi
	done >"$fuzz_dir/said" 2>&1
	cat "$fuzz_dir/said"
	return $fuzz_bad
}

# fuzz_one FUZZTIME DIR TARGET: a target of the package in fuzz_dir. It must be there and fuzzed.
fuzz_one() {
	(cd "$2" && "$fuzz_dir/test" -test.run '^$' -test.fuzz "^$3\$" -test.fuzztime "$1" -test.fuzzminimizetime 10x -test.parallel 1 \
		-test.fuzzcachedir "$(go env GOCACHE)/fuzz/kryptonite/$2") >"$fuzz_out" 2>&1 && grep -q '^fuzz: elapsed' "$fuzz_out"
}

# fuzz_late: the run found nothing, but Go's fuzzer took the end of its time for
# a failure (https://go.dev/issue/75804). A finding says "Failing input".
fuzz_late() {
	grep -q '^    context deadline exceeded$' "$fuzz_out" && ! grep -q 'Failing input' "$fuzz_out"
}
