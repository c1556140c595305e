package importer

import (
	"maps"
	"strings"
)

func init() { maps.Copy(many, manyPrograms) }

// manyPrograms makes exports of n accounts.
var manyPrograms = map[string]func(n int) string{
	"authy": func(n int) string {
		return "<map><string name='com.authy.storage.tokens.authenticator.key'>[" + repeat(n, ",",
			`{&quot;accountType&quot;:&quot;authenticator&quot;,&quot;decryptedSecret&quot;:&quot;%[2]s&quot;,&quot;digits&quot;:6,&quot;originalIssuer&quot;:&quot;Example&quot;,&quot;name&quot;:&quot;Example: user%[1]d@example.org&quot;}`) + "]</string></map>"
	},
	"freeotp": func(n int) string {
		return "<map>" + repeat(n, "\n", `<string name="Example:user%[1]d@example.org">{"algo":"SHA1","digits":6,"issuerExt":"Example","label":"user%[1]d@example.org","period":30,"secret":`+
			manySigned+`,"type":"TOTP"}</string>`) + "</map>"
	},
	"freeotp-plus": func(n int) string {
		return `{"tokenOrder":[],"tokens":[` + repeat(n, ",", `{"algo":"SHA1","counter":0,"digits":6,"issuerExt":"Example","issuerInt":"Example","label":"user%[1]d@example.org","period":30,"secret":`+
			manySigned+`,"type":"TOTP"}`) + `]}`
	},
	"bitwarden": func(n int) string {
		return `{"encrypted":false,"items":[` + repeat(n, ",", `{"id":"ffdea2cc-923d-47a0-be99-ae7800fd51e4","type":1,"name":"Example","notes":null,"login":{"uris":[{"uri":"https://example.org"}],"username":"user%[1]d@example.org","password":"a password","totp":"%[2]s"}}`) + `]}`
	},
	"keepassxc": func(n int) string {
		const times = "<Times><LastModificationTime>2024-05-01T00:00:00Z</LastModificationTime><CreationTime>2024-05-01T00:00:00Z</CreationTime><Expires>False</Expires></Times>"
		return "<KeePassFile><Root><Group>" + repeat(n, "\n", "<Entry><UUID>AAAA</UUID>"+times+"<String><Key>Title</Key><Value>Example</Value></String><String><Key>UserName</Key><Value>user%[1]d@example.org</Value></String>"+
			`<String><Key>otp</Key><Value ProtectInMemory="True">otpauth://totp/Example:user%[1]d@example.org?secret=%[2]s&amp;period=30&amp;digits=6&amp;issuer=Example</Value></String><AutoType><Enabled>True</Enabled></AutoType></Entry>`) + "</Group></Root></KeePassFile>"
	},
	"1password": func(n int) string {
		return `{"accounts":[{"vaults":[{"items":[` + repeat(n, ",", `{"uuid":"x","state":"active","overview":{"title":"Example","url":"https://example.org"},"details":{"loginFields":[{"value":"user%[1]d@example.org","designation":"username"},{"value":"a password","designation":"password"}],"notesPlain":"","sections":[{"title":"","fields":[{"title":"one-time password","id":"TOTP_x","value":{"totp":"otpauth://totp/Example:user%[1]d@example.org?secret=%[2]s&issuer=Example"},"guarded":false}]}]}}`) + `]}]}]}`
	},
	"proton-authenticator": func(n int) string {
		return `{"version":1,"entries":[` + repeat(n, ",", `{"id":"x","content":{"uri":"otpauth://totp/user%[1]d@example.org?secret=%[2]s&issuer=Example&algorithm=SHA1&digits=6&period=30","entry_type":"Totp","name":"user%[1]d@example.org"},"note":null}`) + `]}`
	},
	"proton-pass": func(n int) string {
		return `{"version":"1","vaults":{"a":{"items":[` + repeat(n, ",", `{"itemId":"x","state":1,"data":{"metadata":{"name":"Example"},"type":"login","content":{"itemEmail":"","itemUsername":"user%[1]d@example.org","password":"a password","urls":[],"totpUri":"%[2]s"},"extraFields":[]}}`) + `]}}}`
	},
	"lastpass": func(n int) string {
		return `{"localDeviceId":"x","accounts":[` + repeat(n, ",", `{"accountID":"x","issuerName":"Example","originalIssuerName":"Example","userName":"user%[1]d@example.org","originalUserName":"","secret":"%[2]s","timeStep":30,"digits":6,"algorithm":"SHA1"}`) + `]}`
	},
	"raivo": func(n int) string {
		return "[" + repeat(n, ",", `{"issuer":"Example","account":"user%[1]d@example.org","secret":"%[2]s","algorithm":"SHA1","digits":"6","kind":"TOTP","timer":"30","counter":"0"}`) + "]"
	},
}

// manySigned is a seed of twenty times "s".
var manySigned = "[" + strings.TrimSuffix(strings.Repeat("115,", 20), ",") + "]"
