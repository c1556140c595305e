# shellcheck shell=bash
# Debians in folders, made by debootstrap and booted by systemd-nspawn, with the package of this machine's processor. Sourced after
# lib.sh; all goes away at the end. OATHD_BASES names a directory in which bare systems are found and kept.

[ "$(id -u)" = 0 ] || die "debootstrap needs root"
for program in debootstrap systemd-nspawn; do have $program || die "missing here: $program"; done

# made PATTERN prints which package of that name make packages has made.
made() {
	local found
	found=$(find dist -name "$1" 2>/dev/null | sort | tail -n 1)
	[ -n "$found" ] || die "there is no $1 in dist/: make packages"
	echo "$found"
}

package=$(made "oathd_*_$(dpkg --print-architecture).deb")

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
bases=${OATHD_BASES:-$work/bases}
mkdir -p "$bases"

# base RELEASE makes a system that boots, unless it is there already.
base() {
	[ ! -e "$bases/$1" ] || return 0
	rm -rf --one-file-system "$bases/$1.new"
	debootstrap --include=systemd,systemd-sysv,libpam-systemd,dbus,dbus-user-session,ca-certificates "$1" "$bases/$1.new" \
		"${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$bases/$1.log" || { tail "$bases/$1.log" >&2; die "cannot make a $1"; }
	mv "$bases/$1.new" "$bases/$1"
}

# system RELEASE ROOT copies such a system and gives it a user who has a session.
system() {
	local root=$2
	base "$1"
	cp -a "$bases/$1" "$root"
	cp "$package" "$root/"
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	chroot "$root" useradd --create-home --uid 1000 --shell /bin/bash user
	mkdir -p "$root/var/lib/systemd/linger"
	touch "$root/var/lib/systemd/linger/user"
}

# inside ROOT COMMAND… runs a command in a system that is not booted.
inside() {
	local root=$1
	shift
	chroot "$root" /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
}

# apt ROOT … is apt-get in a system that is not booted, and shows what it says only where it fails.
apt() {
	local root=$1
	shift
	inside "$root" apt-get -y -qq "$@" >"$root.log" 2>&1 || { tail -n 30 "$root.log" >&2; return 1; }
}

# unit STEP… is try.service, which runs scripts of /booted.d in turn as the user, or as root where a + stands before, and turns the
# system off.
unit() {
	cat <<-'END'
		[Unit]
		After=user@1000.service multi-user.target
		Wants=user@1000.service
		SuccessAction=poweroff
		FailureAction=poweroff
		[Service]
		Type=oneshot
		TimeoutStartSec=500
		User=user
		Environment=XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus HOME=/home/user
		ExecStopPost=+/bin/sh -c 'echo "$SERVICE_RESULT" >/result; journalctl -b -o short >/journal'
	END
	local step
	for step; do echo "ExecStart=${step%%[!+]*}/bin/bash /booted.d/${step#+}"; done
}

# enabled ROOT tells whether sessions of the system listen for oathctl.
enabled() { [ -L "$1/etc/systemd/user/sockets.target.wants/oathd.socket" ] && [ -L "$1/etc/systemd/user/sockets.target.wants/oathd-codes.socket" ]; }

# left ROOT prints what there is of oathd in a system, but for what its user has kept, and what is needed to try it.
left() {
	find "$1" -xdev -name '*oathd*' -not -path "$1/home/*" -not -path "$1/${package##*/}" -not -path "$1/packages/*" -not -path "$1/var/log/*" -not -path "$1/tmp/*"
}

# booted ROOT DIRECTORY STEP… boots the system, which runs the directory's scripts, and turns itself off.
booted() {
	local root=$1
	cp -r "$2" "$root/booted.d"
	unit "${@:3}" >"$root/etc/systemd/system/try.service"
	chroot "$root" systemctl add-wants multi-user.target try.service >/dev/null 2>&1
	timeout 600 systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --directory "$root" --console=pipe </dev/null >"$root.console" 2>&1 || true
	[ "$(cat "$root/result" 2>/dev/null)" = success ] && return
	tail -n 30 "$root.console" >&2
	tail -n 150 "$root/journal" >&2 || true
	return 1
}
