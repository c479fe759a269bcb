#!/bin/busybox sh
# The machine's only script: a system bus, bluetoothd, three LE controllers, and
# the scenarios as an ordinary user. It tells how they ended, and powers off.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /run/dbus /run/sshd
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp
chmod 1777 /tmp
ln -s /proc/self/fd /dev/fd
hostname laptop
ip link set lo up

end() {
	echo "machine: $*"
	poweroff -f
	sleep 60
}

while read -r module; do
	insmod "/modules/$module.ko" || end "no module $module"
done </modules/order
echo "machine: up at $(cut -d' ' -f1 /proc/uptime) s"

dbus-daemon --system --fork || end "no system bus"
while :; do
	/usr/libexec/bluetooth/bluetoothd --nodetach & bluetoothd=$!
	echo "$bluetoothd" >/run/bluetoothd.pid
	wait "$bluetoothd"
	sleep 1 # as systemd does
done &
# Not -L alone for being small: see neighbour in package scenarios.
btvirt -L -l3 >/dev/null &

# An ordinary user may kill bluetoothd, by a line in here.
mkfifo -m 622 /run/kill
while read -r _ </run/kill; do
	kill -9 "$(cat /run/bluetoothd.pid)"
done &

# HOME is the user's own, on a file system that has fsync for nothing.
su -s /bin/sh user -c "cd /tmp && exec scenarios $(cat /etc/scenarios)"
end "exit $?"
