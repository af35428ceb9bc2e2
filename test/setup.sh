# Installs what the tests need besides Go, Node, make and git, where it may; otherwise it says what
# is missing and stops. Nothing is skipped.
set -eu

fail() {
	echo "setup: $1" >&2
	exit 1
}

for tool in go node npm git; do
	command -v "$tool" >/dev/null || fail "$tool is missing; install it and try again"
done

missing=
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="$missing chromium"
command -v aws >/dev/null || missing="$missing awscli"
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
	echo "setup: installing$missing"
	apt-get update -qq
	# shellcheck disable=SC2086 # a list of names
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
	fail "install$missing (as root on Debian: apt-get install$missing) and try again"
fi
