package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// errDeclined is the error of a person who was asked and said no: then nothing else is tried.
var errDeclined = errors.New("cannot take a picture of the screen: it was declined")

// consent is how long the desktop may ask whether this is allowed.
const consent = 2 * time.Minute

// The names of the desktop's portal (XDG Desktop Portal, org.freedesktop.portal.Screenshot and .Request).
const (
	portalName   = "org.freedesktop.portal.Desktop"
	portalPath   = "/org/freedesktop/portal/desktop"
	requestIface = "org.freedesktop.portal.Request"
)

// portal has the desktop take a picture of the screen, and deletes the file in which it is.
func portal(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, consent)
	defer cancel()
	bus, err := connect()
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	file, err := screenshot(ctx, bus)
	if err != nil {
		return nil, err
	}
	picture, err := readPicture(file)
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	if err := os.Remove(file); err != nil {
		return nil, fmt.Errorf("cannot delete the picture of the screen, which may show a secret: %w", err)
	}
	return picture, nil
}

// connect connects to the session bus, if there is one; godbus by itself would start another.
func connect() (*dbus.Conn, error) {
	address := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if dir := os.Getenv("XDG_RUNTIME_DIR"); address == "" && filepath.IsAbs(dir) {
		address = "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus"))
	}
	if address == "" {
		return nil, errors.New("there is no session bus")
	}
	bus, err := dbus.Connect(address)
	if err != nil {
		return nil, fmt.Errorf("session bus: %w", err)
	}
	return bus, nil
}

// screenshot asks the portal and returns the file that it has written. The answer is a signal, which may come before the
// call returns, so it is listened for first.
func screenshot(ctx context.Context, bus *dbus.Conn) (string, error) {
	signals := make(chan *dbus.Signal, 16)
	bus.Signal(signals)
	err := bus.AddMatchSignalContext(ctx, dbus.WithMatchSender(portalName), dbus.WithMatchInterface(requestIface), dbus.WithMatchMember("Response"))
	if err != nil {
		return "", fmt.Errorf("session bus: %w", err)
	}
	token := "oathctl" + rand.Text()
	expected := requestPath(bus, token)
	defer func() {
		if ctx.Err() != nil { // nobody waits for an answer any more
			bus.Object(portalName, expected).Call(requestIface+".Close", dbus.FlagNoReplyExpected)
		}
	}()
	options := map[string]dbus.Variant{"handle_token": dbus.MakeVariant(token), "interactive": dbus.MakeVariant(false)}
	var request dbus.ObjectPath
	desktop := bus.Object(portalName, portalPath)
	if err := desktop.CallWithContext(ctx, "org.freedesktop.portal.Screenshot.Screenshot", 0, "", options).Store(&request); err != nil {
		return "", fmt.Errorf("portal: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("portal: %w", ctx.Err())
		case s, open := <-signals:
			if !open {
				return "", errors.New("portal: the session bus went away")
			}
			if s.Name == requestIface+".Response" && (s.Path == request || s.Path == expected) {
				return written(s.Body)
			}
		}
	}
}

// requestPath is where a request is found, by the caller's name and its token; portals before 0.9 say another in their answer.
func requestPath(bus *dbus.Conn, token string) dbus.ObjectPath {
	sender := strings.ReplaceAll(strings.TrimPrefix(bus.Names()[0], ":"), ".", "_")
	return dbus.ObjectPath(portalPath + "/request/" + sender + "/" + token)
}

// written reads the answer: 0 for success, 1 for a person's no, 2 for anything else; and the picture's address.
func written(body []any) (string, error) {
	var response uint32
	var results map[string]dbus.Variant
	if err := dbus.Store(body, &response, &results); err != nil {
		return "", fmt.Errorf("portal: %w", err)
	}
	switch response {
	case 0:
	case 1:
		return "", errDeclined
	default:
		return "", errors.New("portal: it could not")
	}
	address, _ := results["uri"].Value().(string)
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "file" || u.Host != "" || !filepath.IsAbs(u.Path) {
		return "", fmt.Errorf("portal: it names no file: %q", address)
	}
	return u.Path, nil
}
