package awstest

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// call is one request of an admitted caller.
type call struct {
	*Server
	*account
	who        principal
	action     string
	params     url.Values
	now        time.Time
	refuseCode bool
}

func (c *call) param(name string) string { return c.params.Get(name) }

// action is one that the stand-in can do.
type action struct {
	service string
	params  []param
	// resource is what a refusal names; an action without one needs no permission.
	resource func(c *call) string
	// open actions read, or cannot wait for a session: guarded users may do them without one.
	open bool
	run  func(c *call) (any, *refusal)
}

// actions are all of them. Their parameters' bounds are the model's, which a test compares.
var actions map[string]action

func init() {
	device := func(c *call) string { return c.arn("mfa/" + c.param("VirtualMFADeviceName")) }
	serial := func(c *call) string { return c.param("SerialNumber") }
	user := func(c *call) string { return "user " + c.userName() }
	named := func(what string) func(c *call) string { return func(c *call) string { return c.arn(what) } }
	all := func(*call) string { return "*" }
	codes := []param{must(userName), must(serialNumber), must(code1), must(code2)}
	actions = map[string]action{
		"CreateVirtualMFADevice":   {service: "iam", params: []param{must(deviceName), path}, resource: device, run: createVirtualMFADevice},
		"EnableMFADevice":          {service: "iam", params: codes, resource: user, run: enableMFADevice},
		"ResyncMFADevice":          {service: "iam", params: codes, resource: user, open: true, run: resyncMFADevice},
		"DeactivateMFADevice":      {service: "iam", params: []param{must(userName), must(serialNumber)}, resource: user, run: deactivateMFADevice},
		"DeleteVirtualMFADevice":   {service: "iam", params: []param{must(serialNumber)}, resource: serial, run: deleteVirtualMFADevice},
		"ListMFADevices":           {service: "iam", params: []param{userName, marker, maxItems}, resource: user, open: true, run: listMFADevices},
		"ListVirtualMFADevices":    {service: "iam", params: []param{assignment, marker, maxItems}, resource: named("mfa/"), open: true, run: listVirtualMFADevices},
		"GetUser":                  {service: "iam", params: []param{userName}, resource: user, open: true, run: getUser},
		"ListUsers":                {service: "iam", params: []param{pathPrefix, marker, maxItems}, resource: named("user/"), run: listUsers},
		"GetAccountSummary":        {service: "iam", resource: all, run: getAccountSummary},
		"GenerateCredentialReport": {service: "iam", resource: all, run: generateCredentialReport},
		"GetCredentialReport":      {service: "iam", resource: all, run: getCredentialReport},
		"GetCallerIdentity":        {service: "sts", run: getCallerIdentity},
		"GetSessionToken":          {service: "sts", params: []param{sessionSeconds, tokenSerial, tokenCode}, run: getSessionToken},
		"AssumeRole": {
			service: "sts", params: []param{must(roleARN), must(sessionName), roleSeconds, externalID, tokenSerial, tokenCode}, run: assumeRole,
		},
	}
}

// param is what an action takes, with the bounds of the services' model.
type param struct {
	name     string
	required bool
	// pattern must match the whole. Least and most bound a number if number is set, else the length.
	pattern     string
	least, most int
	number      bool
	// plain is said in place of the pattern, where IAM does so.
	plain string
}

func must(p param) param { p.required = true; return p }

const (
	// names is the pattern of most names, alphanumeric what IAM says of it.
	names        = `[\w+=,.@-]+`
	alphanumeric = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
)

var (
	userName     = param{name: "UserName", pattern: names, least: 1, most: 128, plain: alphanumeric}
	deviceName   = param{name: "VirtualMFADeviceName", pattern: names, least: 1, plain: alphanumeric}
	path         = param{name: "Path", pattern: `(\u002F)|(\u002F[\u0021-\u007F]+\u002F)`, least: 1, most: 512, plain: "It must begin and end with / and contain only alphanumeric characters and/or / characters."}
	pathPrefix   = param{name: "PathPrefix", pattern: `\u002F[\u0021-\u007F]*`, least: 1, most: 512}
	serialNumber = param{name: "SerialNumber", pattern: `[\w+=/:,.@-]+`, least: 9, most: 256}
	code1        = param{name: "AuthenticationCode1", pattern: `[\d]+`, least: 6, most: 6}
	code2        = param{name: "AuthenticationCode2", pattern: `[\d]+`, least: 6, most: 6}
	marker       = param{name: "Marker", pattern: `[\u0020-\u00FF]+`, least: 1, most: 320}
	maxItems     = param{name: "MaxItems", number: true, least: 1, most: 1000}
	assignment   = param{name: "AssignmentStatus", pattern: "Assigned|Unassigned|Any"}

	tokenSerial    = param{name: "SerialNumber", pattern: `[\w+=/:,.@-]*`, least: 9, most: 256}
	tokenCode      = param{name: "TokenCode", pattern: `[\d]*`, least: 6, most: 6}
	sessionSeconds = param{name: "DurationSeconds", number: true, least: 900, most: 129600}
	roleSeconds    = param{name: "DurationSeconds", number: true, least: 900, most: 43200}
	roleARN        = param{name: "RoleArn", pattern: `[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`, least: 20, most: 2048}
	sessionName    = param{name: "RoleSessionName", pattern: `[\w+=,.@-]*`, least: 2, most: 64}
	externalID     = param{name: "ExternalId", pattern: `[\w+=,.@:\/-]*`, least: 2, most: 1224}
)

// javaEscape is how the model writes a character by its number.
var javaEscape = regexp.MustCompile(`\\u([0-9A-F]{4,6})`)

func (p param) matches(value string) bool {
	return regexp.MustCompile(`^(?:` + javaEscape.ReplaceAllString(p.pattern, `\x{$1}`) + `)$`).MatchString(value)
}

// check holds a request's value against the bounds.
func (p param) check(params url.Values) *refusal {
	value := params.Get(p.name)
	switch {
	case !params.Has(p.name) && p.required:
		return p.violated("null", "Member must not be null")
	case !params.Has(p.name):
		return nil
	case p.number:
		return p.checkNumber(value)
	}
	length := utf8.RuneCountInString(value)
	switch quoted := "'" + value + "'"; {
	case length < p.least:
		return p.violated(quoted, "Member must have length greater than or equal to "+strconv.Itoa(p.least))
	case p.most > 0 && length > p.most:
		return p.violated(quoted, "Member must have length less than or equal to "+strconv.Itoa(p.most))
	case !p.matches(value) && p.plain != "":
		return refuse("ValidationError", "The specified value for %s is invalid. %s", p.member(), p.plain)
	case !p.matches(value):
		return p.violated(quoted, "Member must satisfy regular expression pattern: "+p.pattern)
	}
	return nil
}

func (p param) checkNumber(value string) *refusal {
	n, err := strconv.Atoi(value)
	switch quoted := "'" + value + "'"; {
	case err != nil:
		return refuse("ValidationError", "Value %s at '%s' must be an integer", quoted, p.member())
	case n < p.least:
		return p.violated(quoted, "Member must have value greater than or equal to "+strconv.Itoa(p.least))
	case n > p.most:
		return p.violated(quoted, "Member must have value less than or equal to "+strconv.Itoa(p.most))
	}
	return nil
}

func (p param) violated(value, constraint string) *refusal {
	return refuse("ValidationError", "1 validation error detected: Value %s at '%s' failed to satisfy constraint: %s", value, p.member(), constraint)
}

// member is the parameter as messages name it: serialNumber.
func (p param) member() string { return strings.ToLower(p.name[:1]) + p.name[1:] }

// page cuts what one answer holds out of a list.
func page[T any](c *call, all []T) ([]T, shapePage) {
	size := c.page
	if n, err := strconv.Atoi(c.param("MaxItems")); err == nil {
		size = min(size, n)
	}
	from := 0
	if raw, err := base64.StdEncoding.DecodeString(c.param("Marker")); err == nil {
		from, _ = strconv.Atoi(string(raw))
	}
	all = all[min(max(from, 0), len(all)):]
	if len(all) <= size {
		return slices.Clone(all), shapePage{}
	}
	next := base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(from + size)))
	return slices.Clone(all[:size]), shapePage{IsTruncated: true, Marker: next}
}
