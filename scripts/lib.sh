# shellcheck shell=bash
# What the scripts share. Sourcing it moves to the top of the repository and finds Go.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }
have() { command -v "$1" >/dev/null; }

# Where programs are that an ordinary user's PATH does not name.
PATH=$PATH:/usr/sbin:/sbin:/usr/local/go/bin

# at_least A B: version A is B or newer.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# go_version prints the version of the Go that is installed, or nothing.
go_version() { have go && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//'; }

# A Go older than go.mod asks for may fetch that one (1.21 and newer can); what is new enough is used as it is.
wanted_go=$(sed -n 's/^go //p' go.mod)
if ! at_least "$(go_version)" "$wanted_go"; then
	export GOTOOLCHAIN=auto
fi
