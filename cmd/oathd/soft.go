package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oathd/oathd/config"
	"github.com/oathd/oathd/hw"
	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

const (
	// firstSoftSerial is the serial number of the first soft key.
	firstSoftSerial = 1000001
	// slowProfile is the delay profile of slow soft keys.
	slowProfile = "yubikey-5.4.3"
	// touchPatience is how long a finger waits above a key that does not blink yet: who waits is told a moment before it does.
	touchPatience = time.Second
)

// softBay is a bay with soft keys, and the hands that move them.
type softBay struct {
	*softkey.Bay
	keys []*softkey.Key
	// blinks tells, for each serial, that the key has begun to blink.
	blinks map[uint32]chan struct{}
}

// softKeys plugs in the soft keys that are wanted, or returns nil if none are.
func softKeys(c config.Config) (*softBay, error) {
	if c.SoftKeys == 0 {
		if c.InsecureState != "" {
			return nil, hw.WithHint(errors.New("cannot use the setting insecure_state without soft keys"),
				"add --soft-keys 2, or leave it out: real keys keep their own state")
		}
		return nil, nil
	}
	bay := &softBay{Bay: softkey.NewBay(), blinks: map[uint32]chan struct{}{}}
	newKey, err := softMaker(c, bay.blink)
	if err != nil {
		return nil, err
	}
	for i := range c.SoftKeys {
		bay.blinks[uint32(firstSoftSerial+i)] = make(chan struct{}, 1)
		key, err := newKey(uint32(firstSoftSerial + i))
		if err != nil {
			return nil, err
		}
		bay.keys = append(bay.keys, key)
		bay.Insert(key)
	}
	return bay, nil
}

// softMaker makes new keys, or those of the state file.
func softMaker(c config.Config, onBlink func(*softkey.Key, bool)) (func(serial uint32) (*softkey.Key, error), error) {
	touch, err := softkey.ParseTouchMode(c.SoftTouch)
	if err != nil {
		return nil, err
	}
	options := softkey.Options{Personality: c.SoftPersonality, Touch: touch, OnBlink: onBlink}
	if c.SoftSlow {
		options.Profile = slowProfile
	}
	newKey := softkey.New
	if c.InsecureState != "" {
		store, err := softkey.OpenStore(c.InsecureState)
		if err != nil {
			return nil, err
		}
		newKey = store.Key
	}
	return func(serial uint32) (*softkey.Key, error) {
		options.Serial = serial
		return newKey(options)
	}, nil
}

// List tells of all soft keys, pulled ones too.
func (b *softBay) List() []api.SoftKey {
	plugged := b.Keys()
	list := []api.SoftKey{}
	for _, k := range b.keys {
		list = append(list, api.SoftKey{Serial: k.Serial(), Personality: k.Personality(), Plugged: slices.Contains(plugged, k)})
	}
	return list
}

// Move pulls, plugs or touches the key with that serial.
func (b *softBay) Move(serial uint32, move api.SoftMove) error {
	i := slices.IndexFunc(b.keys, func(k *softkey.Key) bool { return k.Serial() == serial })
	if i < 0 {
		return &api.Error{
			Code:    api.CodeNotFound,
			Message: fmt.Sprintf("cannot %s soft key %d: there is none", move, serial),
			Hint:    fmt.Sprintf("they are %d to %d", b.keys[0].Serial(), b.keys[len(b.keys)-1].Serial()),
		}
	}
	switch k := b.keys[i]; move {
	case api.SoftPull:
		b.Remove(k)
	case api.SoftPlug:
		b.Insert(k)
	case api.SoftTouch:
		b.touch(k)
	}
	return nil
}

// blink takes note that a key begins or ends to blink.
func (b *softBay) blink(k *softkey.Key, _ bool) {
	select {
	case b.blinks[k.Serial()] <- struct{}{}:
	default:
	}
}

// touch lays a finger on the key, or, if it does not blink yet, as soon as it does.
func (b *softBay) touch(k *softkey.Key) {
	patience := time.After(touchPatience)
	for !k.Blinking() {
		select {
		case <-b.blinks[k.Serial()]:
		case <-patience:
			return
		}
	}
	k.Touch()
}
