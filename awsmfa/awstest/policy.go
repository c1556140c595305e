package awstest

import "slices"

// authorize says whether the caller may do what it asks for, in the words of AWS if not.
func (c *call) authorize(act action) *refusal {
	if act.service == "iam" && c.who.temporary && !c.who.mfa && c.who.owner != nil {
		// "You cannot call any IAM API operations unless MFA authentication information is included in the request."
		return refuse("InvalidClientTokenId", "The security token included in the request is invalid")
	}
	name := act.service + ":" + c.action
	switch {
	case act.resource == nil || c.who.owner != nil && c.who.owner.isRoot():
		return nil
	case c.who.owner == nil:
		if !slices.Contains(c.roles[c.who.role].Allows, name) {
			return c.denied(name, act.resource(c), " because no identity-based policy allows the "+name+" action")
		}
		return nil
	case slices.Contains(c.who.owner.Lacks, name):
		return c.denied(name, act.resource(c), " because no identity-based policy allows the "+name+" action")
	case c.who.owner.Guarded && !act.open && !c.who.mfa && len(c.devicesOf(c.who.owner)) > 0:
		return c.denied(name, act.resource(c), " with an explicit deny in an identity-based policy")
	}
	return nil
}

func (c *call) denied(name, resource, why string) *refusal {
	return refuse("AccessDenied", "User: %s is not authorized to perform: %s on resource: %s%s", c.arnOf(c.who), name, resource, why)
}

// userName is the user that a request is about: the caller, if it names none.
func (c *call) userName() string {
	if name := c.param("UserName"); name != "" || c.who.owner == nil {
		return name
	}
	return c.who.owner.Name
}

// subject is the user, or root, that a request is about.
func (c *call) subject() (*owner, *refusal) {
	switch {
	case c.param("UserName") != "":
		return c.user(c.param("UserName"))
	case c.who.owner == nil:
		return nil, refuse("ValidationError", "Must specify userName when calling with non-User credentials")
	}
	return c.who.owner, nil
}
