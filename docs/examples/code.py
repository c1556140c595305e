#!/usr/bin/python3
"""Prints a one-time code over D-Bus: code.py NAME (Debian: apt install python3-dbus)."""
import sys
import dbus

OATHD = "org.oathd.Oathd1"


def code(name):
    bus = dbus.SessionBus()
    manager = bus.get_object(OATHD, "/org/oathd/Oathd1")
    path = manager.Find(name, dbus_interface=OATHD + ".Manager")
    options = {"min_validity": 5}
    value, details = bus.get_object(OATHD, path).GetCode(options, dbus_interface=OATHD + ".Account", timeout=60)
    return value


try:
    print(code(sys.argv[1]))
except dbus.DBusException as error:
    sys.exit(error.get_dbus_message())
