package awsmfa

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"

	"github.com/oathd/oathd/ipc/api"
)

// errNoCredentials marks what went wrong before AWS was asked.
var errNoCredentials = errors.New("there are no credentials")

// The codes with which AWS refuses (IAM and STS API references, "Common Errors", and of each action).
const (
	codeExists     = "EntityAlreadyExists"
	codeLimit      = "LimitExceeded"
	codeNoEntity   = "NoSuchEntity"
	codeWrongCode  = "InvalidAuthenticationCode"
	codeDenied     = "AccessDenied"
	wrongSTSCode   = "invalid MFA one time pass code" // an AccessDenied's message
	noPermission   = "not authorized to perform"      // another's
	codeModifiable = "EntityTemporarilyUnmodifiable"
)

// badCredentials are the codes that mean the credentials, with what is wrong with them.
var badCredentials = map[string]string{
	"InvalidClientTokenId":        "AWS does not know the access key",
	"UnrecognizedClientException": "AWS does not know the access key",
	"SignatureDoesNotMatch":       "the secret access key is not the access key's",
	"ExpiredToken":                "the session is over",
	"ExpiredTokenException":       "the session is over",
	"MissingAuthenticationToken":  "there is no access key",
	"RequestExpired":              "the request came too late",
}

// action finds the permission in "… is not authorized to perform: iam:CreateVirtualMFADevice on resource: …".
var action = regexp.MustCompile(`not authorized to perform: ([\w-]+:\w+)`)

// awsCode returns the code with which AWS refused, "" if it did not.
func awsCode(err error) string {
	if refusal, ok := errors.AsType[smithy.APIError](err); ok {
		return strings.TrimSuffix(refusal.ErrorCode(), "Exception")
	}
	return ""
}

// refusedCode reports whether AWS did not take a one-time code.
func refusedCode(err error) bool {
	code := awsCode(err)
	return code == codeWrongCode || code == codeDenied && strings.Contains(err.Error(), wrongSTSCode)
}

// unanswered reports whether a request may have been carried out, and nobody knows.
func unanswered(err error) bool { return err != nil && awsCode(err) == "" }

// explain puts what the SDK says into our words: "cannot DO: why", with what to do next. An error of ours stays as it is.
func (a *AWS) explain(err error, format string, args ...any) error {
	if ours, ok := errors.AsType[*api.Error](err); ok {
		return ours
	}
	do := "cannot " + fmt.Sprintf(format, args...)
	if e := a.explainOurs(err, do); e != nil {
		return e
	}
	refusal, _ := errors.AsType[smithy.APIError](err)
	if clock := a.clock.check(); clock != nil && (refusedCode(err) || badCredentials[refusal.ErrorCode()] != "") {
		late := *clock.(*api.Error)
		late.Message = do + ": " + strings.TrimPrefix(late.Message, "cannot make codes that AWS takes: ")
		return &late
	}
	e := &api.Error{Code: api.CodeAWS, Message: do + ": AWS says " + refusal.ErrorCode() + ": " + refusal.ErrorMessage()}
	switch code := awsCode(err); {
	case badCredentials[refusal.ErrorCode()] != "":
		e.Code, e.Hint = api.CodeForbidden, "look at "+named(a.profile)+" in ~/.aws/credentials"
		e.Message = do + ": " + badCredentials[refusal.ErrorCode()] + " (" + refusal.ErrorCode() + ")"
	case refusedCode(err):
		e.Message, e.Hint = do+": AWS did not take the code", "is it the device's? \"oathctl aws coverage\" tells; \"oathctl aws resync\" brings AWS and the keys back in step"
	case code == codeDenied:
		e.Code, e.Hint = api.CodeForbidden, denied(err, refusal)
	case code == codeExists:
		e.Code = api.CodeExists
	case code == codeLimit:
		e.Code = api.CodeFull
	case code == codeNoEntity:
		e.Code = api.CodeNotFound
	case code == codeModifiable:
		e.Code, e.Hint = api.CodeConflict, "try again in a minute"
	}
	return e
}

// explainOurs explains what is no refusal of AWS's, nil if it is one.
func (a *AWS) explainOurs(err error, do string) *api.Error {
	none, absent := errors.AsType[config.SharedConfigProfileNotExistError](err)
	_, refused := errors.AsType[smithy.APIError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return &api.Error{Code: api.CodeCanceled, Message: do + ": interrupted"}
	case absent:
		return &api.Error{Code: api.CodeNotFound, Message: "cannot find the profile " + none.Profile, Hint: "\"aws configure list-profiles\" lists them; ~/.aws/config and ~/.aws/credentials have them"}
	case refused:
		return nil
	case errors.Is(err, errNoCredentials):
		return &api.Error{Code: api.CodeForbidden, Message: do + ": there are no credentials: " + plainly(err), Hint: "\"aws configure\" asks for an access key; --profile names another profile"}
	case unsent(err):
		return &api.Error{Code: api.CodeAWS, Message: do + ": AWS cannot be reached: " + plainly(err), Hint: "look at the network, and try again"}
	}
	return &api.Error{Code: api.CodeAWS, Message: do + ": " + plainly(err)}
}

// unsent reports whether an operation got no answer.
func unsent(err error) bool {
	_, sent := errors.AsType[*smithy.OperationError](err)
	return sent
}

// plainly is the innermost reason.
func plainly(err error) string {
	for {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			list := joined.Unwrap()
			err = list[len(list)-1]
			continue
		}
		inner := errors.Unwrap(err)
		if inner == nil || !strings.Contains(inner.Error(), " ") {
			return err.Error()
		}
		err = inner
	}
}

// denied says which permission is missing.
func denied(err error, refusal smithy.APIError) string {
	if found := action.FindStringSubmatch(refusal.ErrorMessage()); found != nil {
		return "it lacks the permission " + found[1]
	}
	if operation, ok := errors.AsType[*smithy.OperationError](err); ok {
		return "it lacks the permission " + strings.ToLower(operation.Service()) + ":" + operation.Operation() + ", or a session made with MFA"
	}
	return ""
}

// add puts what was done, and what is to be done, behind an error.
func add(err error, done, hint string) error {
	e, ok := errors.AsType[*api.Error](err)
	if !ok {
		return err
	}
	whole := *e
	if done != "" {
		whole.Message += ". " + done
	}
	hints := slices.DeleteFunc([]string{e.Hint, hint}, func(s string) bool { return s == "" })
	whole.Hint = strings.Join(hints, "; ")
	return &whole
}
