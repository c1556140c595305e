package awstest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"rsc.io/qr"
)

func createVirtualMFADevice(c *call) (any, *refusal) {
	name := c.param("VirtualMFADeviceName")
	d := &device{serial: c.arn("mfa" + cmp.Or(c.param("Path"), "/") + name), seed: randomBytes(40)}
	if c.exists(d.serial) {
		return nil, refuse("EntityAlreadyExists", "MFADevice entity at the same path and name already exists.")
	}
	account := c.number
	if c.who.owner != nil && !c.who.owner.isRoot() {
		account = c.who.owner.Name
	}
	picture, err := qr.Encode("otpauth://totp/"+name+"@"+account+"?secret="+d.base32(), qr.M)
	if err != nil {
		return nil, refuse("ServiceFailure", "%v", err)
	}
	c.devices[d.serial] = d
	return struct{ VirtualMFADevice shapeVirtualMFADevice }{
		shapeVirtualMFADevice{SerialNumber: d.serial, Base32StringSeed: base64Text([]byte(d.base32())), QRCodePNG: base64Text(picture.PNG())},
	}, nil
}

// exists tells whether there is a device of that name, in whatever case: "names are not distinguished by case".
func (a *account) exists(serial string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(a.devices)), func(known string) bool { return strings.EqualFold(known, serial) })
}

func (a *account) device(serial string) (*device, *refusal) {
	if d := a.devices[serial]; d != nil {
		return d, nil
	}
	return nil, refuse("NoSuchEntity", "VirtualMFADevice with serial number %s does not exist.", serial)
}

// enabled finds a device that the user has.
func (a *account) enabled(user, serial string) (*device, *refusal) {
	o, refused := a.user(user)
	if refused != nil {
		return nil, refused
	}
	d, refused := a.device(serial)
	if refused == nil && d.owner != o {
		refused = refuse("NoSuchEntity", "MFA Device invalid for user.")
	}
	return d, refused
}

func enableMFADevice(c *call) (any, *refusal) {
	o, refused := c.user(c.param("UserName"))
	if refused != nil {
		return nil, refused
	}
	d, refused := c.account.device(c.param("SerialNumber"))
	switch {
	case refused != nil:
		return nil, refused
	case d.owner != nil:
		return nil, refuse("EntityAlreadyExists", "MFA Device is already in use.")
	case len(c.devicesOf(o)) >= perUser:
		return nil, refuse("LimitExceeded", "Cannot exceed quota for MFADevicesPerUser: %d", perUser)
	}
	if refused := c.synchronize(d); refused != nil {
		return nil, refused
	}
	d.owner, d.enabled = o, c.now
	return nil, nil
}

// synchronize takes the two codes of a request.
func (c *call) synchronize(d *device) *refusal {
	if c.refuseCode || !d.synchronize(c.param("AuthenticationCode1"), c.param("AuthenticationCode2"), c.now) {
		return refuse("InvalidAuthenticationCode", "Authentication code for device is not valid.")
	}
	return nil
}

func resyncMFADevice(c *call) (any, *refusal) {
	d, refused := c.account.enabled(c.param("UserName"), c.param("SerialNumber"))
	if refused != nil {
		return nil, refused
	}
	return nil, c.synchronize(d)
}

func deactivateMFADevice(c *call) (any, *refusal) {
	d, refused := c.account.enabled(c.param("UserName"), c.param("SerialNumber"))
	if refused != nil {
		return nil, refused
	}
	*d = device{serial: d.serial, seed: d.seed, used: d.used}
	if d.seed == nil {
		delete(c.devices, d.serial)
	}
	return nil, nil
}

func deleteVirtualMFADevice(c *call) (any, *refusal) {
	d, refused := c.account.device(c.param("SerialNumber"))
	switch {
	case refused != nil:
		return nil, refused
	case d.owner != nil:
		return nil, refuse("DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
	}
	delete(c.devices, d.serial)
	return nil, nil
}

func listMFADevices(c *call) (any, *refusal) {
	o, refused := c.subject()
	if refused != nil {
		return nil, refused
	}
	var all []shapeMFADevice
	for _, d := range c.devicesOf(o) {
		all = append(all, shapeMFADevice{UserName: o.Name, SerialNumber: d.serial, EnableDate: stamp(d.enabled)})
	}
	list, more := page(c, all)
	return struct {
		MFADevices []shapeMFADevice `xml:"MFADevices>member"`
		shapePage
	}{list, more}, nil
}

func listVirtualMFADevices(c *call) (any, *refusal) {
	var all []shapeVirtualMFADevice
	for _, d := range c.sorted() {
		if d.seed == nil {
			continue
		}
		if status := cmp.Or(c.param("AssignmentStatus"), "Any"); status == "Any" || (status == "Assigned") == (d.owner != nil) {
			all = append(all, c.virtual(d))
		}
	}
	list, more := page(c, all)
	return struct {
		VirtualMFADevices []shapeVirtualMFADevice `xml:"VirtualMFADevices>member"`
		shapePage
	}{list, more}, nil
}

func (a *account) virtual(d *device) shapeVirtualMFADevice {
	v := shapeVirtualMFADevice{SerialNumber: d.serial, EnableDate: stamp(d.enabled)}
	if d.owner != nil {
		user := a.shape(d.owner)
		v.User = &user
	}
	return v
}

func getUser(c *call) (any, *refusal) {
	o, refused := c.subject()
	if refused != nil {
		return nil, refused
	}
	return struct{ User shapeUser }{c.shape(o)}, nil
}

func listUsers(c *call) (any, *refusal) {
	var all []shapeUser
	for _, name := range slices.Sorted(maps.Keys(c.users)) {
		if strings.HasPrefix(c.users[name].Path, cmp.Or(c.param("PathPrefix"), "/")) {
			all = append(all, c.shape(c.users[name]))
		}
	}
	list, more := page(c, all)
	return struct {
		Users []shapeUser `xml:"Users>member"`
		shapePage
	}{list, more}, nil
}
