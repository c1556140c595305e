package awstest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"time"
)

// versions are the services' API versions.
var versions = map[string]string{"iam": "2010-05-08", "sts": "2011-06-15"}

// namespace is that of a service's XML; a request for no service is refused by the front end, which has one of its own.
func namespace(service string) string {
	if service == "" {
		return "http://webservices.amazon.com/AWSFault/2005-15-09"
	}
	return "https://" + service + ".amazonaws.com/doc/" + versions[service] + "/"
}

// success renders an answer. An action without a result has an envelope only.
func success(service, action, id string, result any) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%sResponse xmlns=%q>\n", action, namespace(service))
	if result != nil {
		e := xml.NewEncoder(&b)
		if err := e.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: action + "Result"}}); err != nil {
			panic(err) // a result type that XML cannot hold
		}
	}
	fmt.Fprintf(&b, "\n<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>\n</%sResponse>\n", id, action)
	return b.Bytes()
}

// refusal is an error that AWS answers with.
type refusal struct{ code, message string }

// statuses are the HTTP statuses of all codes that the stand-in answers with.
var statuses = map[string]int{
	"AccessDenied":               403,
	"DeleteConflict":             409,
	"EntityAlreadyExists":        409,
	"ExpiredToken":               403,
	"IncompleteSignature":        400,
	"InvalidAction":              400,
	"InvalidAuthenticationCode":  403,
	"InvalidClientTokenId":       403,
	"LimitExceeded":              409,
	"MalformedQueryString":       404,
	"MissingAuthenticationToken": 403,
	"NoSuchEntity":               404,
	"ReportExpired":              410,
	"ReportInProgress":           404,
	"ReportNotPresent":           410,
	"ServiceFailure":             500,
	"SignatureDoesNotMatch":      403,
	"Throttling":                 400,
	"ValidationError":            400,
}

func refuse(code, format string, arguments ...any) *refusal {
	return &refusal{code: code, message: fmt.Sprintf(format, arguments...)}
}

func (r *refusal) status() int { return statuses[r.code] }

func (r *refusal) xml(service, id string) []byte {
	kind := "Sender"
	if r.status() >= 500 {
		kind = "Receiver"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<ErrorResponse xmlns=%q>\n  <Error>\n    <Type>%s</Type>\n    <Code>%s</Code>\n    <Message>", namespace(service), kind, r.code)
	_ = xml.EscapeText(&b, []byte(r.message))
	fmt.Fprintf(&b, "</Message>\n  </Error>\n  <RequestId>%s</RequestId>\n</ErrorResponse>\n", id)
	return b.Bytes()
}

// stamp renders a time as the Query protocol does.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// The shapes of answers, named as in the services' model.
type (
	shapeUser struct {
		Path       string `xml:",omitempty"`
		UserName   string `xml:",omitempty"`
		UserId     string
		Arn        string
		CreateDate string
	}
	shapeVirtualMFADevice struct {
		SerialNumber     string
		Base32StringSeed []byte     `xml:",omitempty"`
		QRCodePNG        []byte     `xml:",omitempty"`
		User             *shapeUser `xml:",omitempty"`
		EnableDate       string     `xml:",omitempty"`
	}
	shapeMFADevice struct{ UserName, SerialNumber, EnableDate string }
	shapePage      struct {
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}
	shapeCredentials     struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
	shapeAssumedRoleUser struct{ AssumedRoleId, Arn string }
)
