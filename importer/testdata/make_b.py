#!/usr/bin/env python3
"""Makes the exports of password managers, and of some authenticator programs, that importer's tests read.

Seeds are SHA-1 of a word, names are invented, the password is "test". It needs python3-cryptography (44 or newer, for
Argon2id), java and gpg. Only proton_pass.pgp differs each time it runs.
"""

import base64
import csv
import hashlib
import hmac
import io
import json
import pathlib
import struct
import subprocess
import tempfile
import urllib.parse
import xml.etree.ElementTree as ET
import zipfile
import zlib
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

HERE = pathlib.Path(__file__).parent
PASSWORD = b"test"


def write(name, data):
    (HERE / name).write_bytes(data.encode() if isinstance(data, str) else data)


def seed(word):
    return hashlib.sha1(word.encode()).digest()


def b32(word):
    return base64.b32encode(seed(word)).decode()


def b64(data):
    return base64.b64encode(data).decode()


def salt(word, n=16):
    """What would be random."""
    return hashlib.sha512(word.encode()).digest()[:n]


def uri(label, word, kind="totp", **parameters):
    query = urllib.parse.urlencode({"secret": b32(word), **parameters}, quote_via=urllib.parse.quote)
    return f"otpauth://{kind}/{urllib.parse.quote(label)}?{query}"


def cbc(key, iv, plain):
    pad = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(pad.update(plain) + pad.finalize()) + encryptor.finalize()


def android(strings):
    """Preferences, as Android writes them."""
    lines = "".join(f'    <string name="{escape(name)}">{escape(text, {chr(34): "&quot;"})}</string>\n' for name, text in strings)
    return f"<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n    <int name=\"key_version\" value=\"121\" />\n{lines}</map>\n"


# Authy

AUTHENTICATOR = "com.authy.storage.tokens.authenticator.key"


def authy(name, digits=6, **more):
    token = {"accountType": "authenticator", "digits": digits, "timestamp": 1608374963, "hidden": False, "name": name, **more}
    return {key: value for key, value in token.items() if value is not None}


def authy_locked(name, word, rounds=1000, password=PASSWORD, lower=False, **more):
    text = b32(word).lower() if lower else b32(word)
    key = hashlib.pbkdf2_hmac("sha1", password, word.encode(), rounds, 32)
    return authy(name, encryptedSecret=b64(cbc(key, bytes(16), text.encode())), salt=word, **more)


def gson(value):
    """JSON as gson writes it: '=' is escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("=", "\\u003d")


def make_authy():
    write("authy.xml", android([(AUTHENTICATOR, gson([
        authy("GitHub: alice", originalName="GitHub:alice", originalIssuer="GitHub", decryptedSecret=b32("github")),
        authy("Bank - bob", 8, originalName="Bank:bob", decryptedSecret=b32("bank").lower()),
        authy("carol's own words", originalName="Shop:carol", originalIssuer="Shop", decryptedSecret=b32("shop")),
        authy("nobody", decryptedSecret=b32("nobody")),
        authy("Eleven: dave", 11, originalIssuer="Eleven", decryptedSecret=b32("eleven")),
        authy("Broken: erin", originalIssuer="Broken", decryptedSecret="not base32"),
        authy("Empty: frank", originalIssuer="Empty"),
        authy("Number: grace", originalIssuer="Number", decryptedSecret=7),
    ]))]))
    write("authy_own.xml", android([("com.authy.storage.tokens.authy.key", gson([
        {"appId": "1", "digits": 7, "secretSeed": seed("twitch").hex(), "name": "Twitch", "version": 1},
        {"appId": "2", "digits": 7, "secretSeed": "not hexadecimal", "name": "Gemini", "version": 1},
    ]))]))
    write("authy_encrypted.xml", android([(AUTHENTICATOR, gson([
        authy_locked("Old: zoe", "old", password=b"another", originalIssuer="Old"),
        authy_locked("GitHub: alice", "github", originalIssuer="GitHub", originalName="GitHub:alice"),
        authy_locked("Bank: bob", "bank", digits=8, lower=True, originalIssuer="Bank"),
        authy_locked("New: carol", "new", 100000, originalIssuer="New"),
        authy("Known: dave", originalIssuer="Known", decryptedSecret=b32("known")),
    ]))]))


# FreeOTP, FreeOTP+

def signed(data):
    return list(struct.unpack(f"{len(data)}b", data))


def freeotp(issuer, label, word, kind="TOTP", **more):
    return {"algo": "SHA1", "counter": 0, "digits": 6, "issuerExt": issuer, "issuerInt": issuer, "label": label, "period": 30,
            "secret": signed(seed(word)), "type": kind, **more}


FREEOTP = [
    freeotp("GitHub", "alice", "github"),
    freeotp("Bank", "bob", "bank", algo="SHA256", digits=8, period=60),
    freeotp("Counting House", "dave", "token", "HOTP", counter=6),
    freeotp("Fresh", "dora", "fresh", "HOTP", counter=-1),
    freeotp("Steam", "erin", "steam", digits=5),
    freeotp("Former", "carol", "shop", issuerAlt="Shop", labelAlt="caroline"),
    freeotp("MD", "frank", "md5", algo="MD5"),
    freeotp("Broken", "grace", "x", secret=[300]),
]


def make_freeotp():
    tokens = [(f"{t['issuerExt']}:{t['label']}", json.dumps(t)) for t in FREEOTP]
    order = [("tokenOrder", json.dumps([name for name, _ in tokens]))]
    write("freeotp.xml", android(tokens + [("Cut:off", '{"algo":"SHA1"')] + order))
    write("freeotp_plus.json", json.dumps({"tokenOrder": [name for name, _ in tokens], "tokens": FREEOTP}))
    subprocess.run(["java", HERE / "FreeOTP2.java", HERE], check=True)


# Bitwarden

def bitwarden(name, totp, username=None, **more):
    login = {"uris": None, "username": username, "password": "a password", "totp": totp}
    return {"id": name, "type": 1, "name": name, "notes": None, "favorite": False, "login": login, **more}


BITWARDEN = [
    bitwarden("GitHub", uri("GitHub:alice", "github", issuer="GitHub", algorithm="SHA256", digits=8, period=60), "alice@example.org"),
    bitwarden("Bank", b32("bank").lower(), "bob"),
    bitwarden("Games", "steam://" + b32("steam"), "erin"),
    bitwarden("No issuer", uri("carol", "shop"), "caroline"),
    bitwarden("No label", uri("", "nolabel", issuer="Label"), "dora"),
    bitwarden("No TOTP", None, "frank"),
    bitwarden("Empty TOTP", ""),
    {"id": "note", "type": 2, "name": "A note", "secureNote": {"type": 0}},
    bitwarden("Broken", "otpauth://totp/Broken:grace?secret=notbase32", "grace"),
    bitwarden("Number", 7),
    bitwarden("Gone", b32("gone"), "heidi", deletedDate="2024-05-01T00:00:00.000Z"),
]


def bitwarden_box(key, plain):
    enc, mac = (HKDFExpand(hashes.SHA256(), 32, info).derive(key) for info in (b"enc", b"mac"))
    iv = salt("bitwarden")
    box = cbc(enc, iv, plain)
    return f"2.{b64(iv)}|{b64(box)}|{b64(hmac.digest(mac, iv + box, 'sha256'))}"


def bitwarden_locked(key, **parameters):
    plain = json.dumps({"encrypted": False, "folders": [], "items": BITWARDEN}).encode()
    return json.dumps({"encrypted": True, "passwordProtected": True, **parameters,
                       "encKeyValidation_DO_NOT_EDIT": bitwarden_box(key, b"a UUID"), "data": bitwarden_box(key, plain)}, indent=2)


def make_bitwarden():
    plain = json.dumps({"encrypted": False, "folders": [], "items": BITWARDEN}, indent=2)
    write("bitwarden.json", plain)
    write("bitwarden.zip", archive({"data.json": plain, "attachments/1/data.json": "{}"}))
    text = b64(salt("text"))
    write("bitwarden_pbkdf2.json", bitwarden_locked(
        hashlib.pbkdf2_hmac("sha256", PASSWORD, text.encode(), 5000, 32), salt=text, kdfType=0, kdfIterations=5000))
    key = Argon2id(salt=hashlib.sha256(text.encode()).digest(), length=32, iterations=2, lanes=4, memory_cost=16 << 10).derive(PASSWORD)
    write("bitwarden_argon2.json", bitwarden_locked(key, salt=text, kdfType=1, kdfIterations=2, kdfMemory=16, kdfParallelism=4))
    write("bitwarden_account.json", json.dumps({"encrypted": True, "encKeyValidation_DO_NOT_EDIT": "2.a|b|c", "folders": [], "items": [
        {"id": "1", "type": 1, "name": "2.a|b|c", "login": {"totp": "2.a|b|c"}}]}))
    rows = [["", "", "login", i["name"], 'many\r\nlines, and "quotes"', "", 0, "", i["login"]["username"], "a password", i["login"]["totp"]]
            for i in BITWARDEN if isinstance(i.get("login", {}).get("totp", 0), str) and "deletedDate" not in i]
    write("bitwarden.csv", table("folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp".split(","), rows))
    # Bitwarden Authenticator puts nothing into quotation marks, and names fewer columns than it writes.
    app = [("GitHub", uri("GitHub:alice", "github", issuer="GitHub")), ("Bank, Inc.", uri("Bank, Inc.:bob", "bank", issuer="Bank, Inc.", digits=8)),
           ("Games", "steam://" + b32("steam")), ("A, B", "steam://" + b32("comma"))]
    write("bitwarden_authenticator.csv", "folder,favorite,type,name,login_uri,login_totp\n" + "\n".join(f",,1,{name},,{totp},{name},30,6" for name, totp in app))
    write("bitwarden_converted.json", json.dumps({"items": [{"type": 1, "name": "GitHub", "login": {"username": "alice", "totp": b32("github")}}]}))


def table(head, rows, **how):
    text = io.StringIO(newline="")
    writer = csv.writer(text, **how)
    writer.writerows([head, *rows])
    return text.getvalue()


def archive(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in files.items():
            z.writestr(zipfile.ZipInfo(name, (2024, 5, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    return data.getvalue()


# KeePassXC, KeePass 2

def keepass_entry(parent, title, user, **fields):
    entry = ET.SubElement(parent, "Entry")
    ET.SubElement(entry, "UUID").text = b64(salt(title))
    times = ET.SubElement(entry, "Times")
    ET.SubElement(times, "Expires").text = "False"
    for key, value in {"Title": title, "UserName": user, "Password": "a password", "Notes": "<none> & nothing", **fields}.items():
        string = ET.SubElement(entry, "String")
        ET.SubElement(string, "Key").text = key
        ET.SubElement(string, "Value", {"ProtectInMemory": "True"} if key == "otp" else {}).text = value
    return entry


def make_keepass():
    bin_id = b64(salt("recycle bin"))
    file = ET.Element("KeePassFile")
    meta = ET.SubElement(file, "Meta")
    ET.SubElement(meta, "Generator").text = "KeePassXC"
    ET.SubElement(meta, "RecycleBinEnabled").text = "True"
    ET.SubElement(meta, "RecycleBinUUID").text = bin_id
    root = ET.SubElement(ET.SubElement(file, "Root"), "Group")
    ET.SubElement(root, "UUID").text = b64(salt("root"))
    ET.SubElement(root, "Name").text = "Root"
    keepass_entry(root, "No TOTP", "zoe")
    entry = keepass_entry(root, "GitHub", "alice", otp=uri("GitHub:alice", "github", period=60, digits=8, issuer="GitHub", algorithm="SHA512"))
    keepass_entry(ET.SubElement(entry, "History"), "GitHub", "alice", otp=uri("GitHub:alice", "former"))
    inner = ET.SubElement(root, "Group")
    ET.SubElement(inner, "Name").text = "Inner"
    keepass_entry(inner, "Games", "erin", otp=uri("Games:erin", "steam", period=30, digits=5, issuer="Games", encoder="steam"))
    keepass_entry(inner, "Unnamed", "", otp=uri("Unnamed:none", "unnamed", period=30, digits=6, issuer="Unnamed"))
    keepass_entry(inner, "KeeOtp", "bob", otp=f"key={b32('keeotp')}&size=8&step=60&otpHashMode=SHA256")
    keepass_entry(inner, "KeeOtp2", "bob", otp=f"key={seed('keeotp2').hex()}&type=Hotp&counter=4&encoding=Hex")
    keepass_entry(inner, "KeePassOTP", "bob", otp=f"otpauth://totp?secret={b32('keepassotp')}")
    keepass_entry(inner, "Two", "bob", otp=uri("Two:one", "one", issuer="Two"), otp_1=uri("Two:two", "two", issuer="Two"))
    keepass_entry(inner, "Legacy", "carol", **{"TOTP Seed": b32("legacy").lower(), "TOTP Settings": "60;8"})
    keepass_entry(inner, "Legacy Steam", "carol", **{"TOTP Seed": b32("steam2"), "TOTP Settings": "30;S"})
    keepass_entry(inner, "Bare", "carol", **{"TOTP Seed": b32("bare")})
    keepass_entry(inner, "KeePass", "dave", **{"TimeOtp-Secret-Base32": b32("base32"), "TimeOtp-Length": "8", "TimeOtp-Period": "60", "TimeOtp-Algorithm": "HMAC-SHA-256"})
    keepass_entry(inner, "Hex", "dave", **{"TimeOtp-Secret-Hex": seed("hex").hex()})
    keepass_entry(inner, "Base64", "dave", **{"TimeOtp-Secret-Base64": b64(seed("base64"))})
    keepass_entry(inner, "Counter", "dave", **{"HmacOtp-Secret": "the seed as text", "HmacOtp-Counter": "41"})
    keepass_entry(inner, "Broken", "frank", **{"TOTP Seed": b32("broken"), "TOTP Settings": "soon;6"})
    keepass_entry(inner, "Odd", "frank", otp=f"key=x&encoding=UTF8")
    trash = ET.SubElement(root, "Group")
    ET.SubElement(trash, "UUID").text = bin_id
    ET.SubElement(trash, "Name").text = "Recycle Bin"
    keepass_entry(ET.SubElement(trash, "Group"), "Gone", "grace", otp=uri("Gone:grace", "gone", issuer="Gone"))
    keepass_entry(root, "Last", "heidi", otp=uri("Last:heidi", "last", issuer="Last"))
    ET.indent(file, "\t")
    write("keepassxc.xml", ET.tostring(file, encoding="utf-8", xml_declaration=True))
    head = ["Group", "Title", "Username", "Password", "URL", "Notes", "TOTP", "Icon", "Last Modified", "Created"]
    rows = [["Root", title, user, 'a "password"', "", "two\nlines", totp, "0", "2024-05-01T00:00:00Z", "2024-05-01T00:00:00Z"] for title, user, totp in [
        ("No TOTP", "zoe", ""),
        ("GitHub", "alice", uri("GitHub:alice", "github", period=60, digits=8, issuer="GitHub", algorithm="SHA512")),
        ("Games", "erin", uri("Games:erin", "steam", period=30, digits=5, issuer="Games", encoder="steam")),
    ]]
    write("keepassxc.csv", table(head, rows, quoting=csv.QUOTE_ALL, lineterminator="\n"))


# 1Password

def onepassword(title, user, *totps, **more):
    fields = [{"title": "memo", "id": "m", "value": {"string": "text"}}, {"title": "mail", "id": "e", "value": {"email": {"email_address": "a@b.c"}}}]
    fields += [{"title": name, "id": f"TOTP_{name}", "value": {"totp": totp}} for name, totp in totps]
    login = [{"value": "a password", "id": "", "name": "password", "fieldType": "P", "designation": "password"},
             {"value": user, "id": "", "name": "username", "fieldType": "T", "designation": "username"}]
    return {"uuid": title, "favIndex": 0, "state": "active", "categoryUuid": "001", "overview": {"title": title, "url": ""},
            "details": {"loginFields": login, "notesPlain": "", "sections": [{"title": "", "name": "s", "fields": fields}]}, **more}


def make_onepassword():
    items = [
        onepassword("GitHub", "alice@example.org", ("one-time password", uri("GitHub:alice", "github", issuer="GitHub", digits=8))),
        onepassword("Bank", "bob", ("one-time password", " ".join(b32("bank")[i:i + 4] for i in range(0, 32, 4)).lower())),
        onepassword("Two", "carol", ("first", b32("one")), ("second", b32("two"))),
        onepassword("No TOTP", "dave"),
        onepassword("Archived", "erin", ("one-time password", b32("archived")), state="archived"),
        onepassword("Linked", {"email_address": "frank@example.org"}, ("one-time password", b32("linked"))),
        onepassword("Broken", "grace", ("one-time password", 7)),
        {"uuid": "note", "state": "active", "categoryUuid": "003", "overview": {"title": "Note"}, "details": {"sections": None}},
        {"item": onepassword("Older", "heidi", ("one-time password", b32("older")))},
    ]
    data = {"accounts": [{"attrs": {"name": "A"}, "vaults": [{"attrs": {"name": "Private"}, "items": items[:2]}, {"attrs": {"name": "Other"}, "items": items[2:]}]}]}
    write("1password.1pux", archive({"export.attributes": '{"version": 3}', "export.data": json.dumps(data), "files/1__a.txt": "a"}))
    head = ["Title", "Url", "Username", "Password", "OTPAuth", "Favorite", "Archived", "Tags", "Notes"]
    rows = [[title, "https://example.org", user, "a, password", totp, "false", "false", "", "two\nlines"] for title, user, totp in [
        ("GitHub", "alice", uri("GitHub:alice", "github", issuer="GitHub", digits=8)), ("Bank", "bob", b32("bank")), ("No TOTP", "carol", "")]]
    write("1password.csv", table(head, rows, lineterminator="\n"))


# Proton Authenticator, Proton Pass

def proton(content, name, kind="Totp"):
    return {"id": name, "content": {"uri": content, "entry_type": kind, "name": name}, "note": None}


def make_proton_authenticator():
    plain = json.dumps({"version": 1, "entries": [
        proton(uri("GitHub:alice", "github", issuer="GitHub", algorithm="SHA256", digits=8, period=15), "alice"),
        proton(uri("", "bank", issuer="Bank"), "bob"),
        proton("steam://" + b64(seed("steam")), "erin", "Steam"),
        proton("otpauth://totp/Broken?secret=0", "Broken"),
        proton(None, "Empty"),
    ]})
    write("proton_authenticator.json", plain)
    word, nonce = salt("proton"), salt("nonce", 12)
    key = Argon2id(salt=word, length=32, iterations=2, lanes=1, memory_cost=19 * 1024).derive(PASSWORD)
    box = nonce + AESGCM(key).encrypt(nonce, plain.encode(), b"proton.authenticator.export.v1")
    write("proton_authenticator_encrypted.json", json.dumps({"version": 1, "salt": b64(word), "content": b64(box)}))


def proton_field(name, totp):
    return {"fieldName": name, "type": "totp", "data": {"totpUri": totp}}


def proton_pass(name, totp, username="", email="", extra=(), state=1):
    return {"itemId": name, "state": state, "data": {
        "metadata": {"name": name, "note": ""}, "type": "login",
        "content": {"itemEmail": email, "itemUsername": username, "password": "a password", "urls": [], "totpUri": totp, "passkeys": []},
        "extraFields": [proton_field(field, value) for field, value in extra]
        + [{"fieldName": "memo", "type": "text", "data": {"content": "text"}}]}}


def make_proton_pass():
    plain = json.dumps({"version": "1.21.2", "userId": "u", "encrypted": False, "vaults": {
        "one": {"name": "Personal", "items": [
            proton_pass("GitHub", uri("GitHub:alice", "github", issuer="GitHub"), "alice"),
            proton_pass("Bank", b32("bank"), email="bob@example.org"),
            proton_pass("No TOTP", "", "carol"),
        ]},
        "two": {"name": "Other", "items": [
            proton_pass("Two", b32("one"), "carol", extra=[("second", b32("two"))]),
            proton_pass("Only a field", "", "dave", extra=[("code", b32("field"))]),
            proton_pass("Number", 7, "erin"),
            proton_pass("Gone", b32("gone"), "frank", state=2),
            {"itemId": "identity", "state": 1, "data": {"metadata": {"name": "Me"}, "extraFields": [], "type": "identity", "content": {
                "fullName": "Grace", "extraContactDetails": [proton_field("mail", b32("mail"))],
                "extraSections": [{"sectionName": "club", "sectionFields": [proton_field("card", b32("card"))]}]}}},
            {"itemId": "note", "state": 1, "data": {"metadata": {"name": "Note"}, "type": "note", "content": {}, "extraFields": []}},
        ]}}})
    write("proton_pass.json", plain)
    write("proton_pass.zip", archive({"Proton Pass/data.json": plain}))
    write("proton_pass_encrypted.zip", archive({"Proton Pass/data.pgp": "c2VjcmV0"}))
    write("proton_pass.csv", table("type,name,url,email,username,password,note,totp,createTime,modifyTime,vault".split(","), [
        ["login", "GitHub", "https://github.com", "", "alice", "a password", "", uri("GitHub:alice", "github", issuer="GitHub"), 1, 1, "Personal"],
        ["login", "No TOTP", "", "", "carol", "a password", "", "", 1, 1, "Personal"]], quoting=csv.QUOTE_NONNUMERIC))
    with tempfile.TemporaryDirectory() as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", "test", "--armor", "--symmetric"]
        write("proton_pass.pgp", subprocess.run(gpg, input=plain.encode(), stdout=subprocess.PIPE, check=True).stdout)


# LastPass Authenticator, Raivo OTP

def lastpass(issuer, user, word, **more):
    return {"accountID": "1", "issuerName": issuer, "originalIssuerName": issuer, "userName": user, "originalUserName": user, "secret": b32(word),
            "timeStep": 30, "digits": 6, "algorithm": "SHA1", "pushNotification": False, "creationTimestamp": 1746694099, **more}


def make_lastpass():
    write("lastpass.json", json.dumps({"deviceId": "d", "localDeviceId": "l", "deviceName": "phone", "version": 3, "folders": [], "accounts": [
        lastpass("GitHub", "alice", "github", timeStep=60, digits=8, algorithm="SHA256"),
        lastpass("", "bob", "bank", originalIssuerName="Bank"),
        lastpass("Odd", "carol", "odd", digits="6", timeStep=30.0),
        lastpass("Odder", "carol", "odd", digits="six"),
        lastpass("Broken", "dave", "x", secret="0"),
    ]}))


def raivo(issuer, account, word, **more):
    return {"issuer": issuer, "account": account, "secret": b32(word), "algorithm": "SHA1", "digits": "6", "kind": "TOTP", "timer": "30", "counter": "0",
            "iconType": "", "iconValue": "", "pinned": "false", **more}


def archive_aes(files):
    """A zip archive with WinZip's AES-256, version 2, as SSZipArchive makes it."""
    body, directory = b"", b""
    for name, text in files.items():
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(text.encode()) + packer.flush()
        word = salt(name)
        keys = hashlib.pbkdf2_hmac("sha1", PASSWORD, word, 1000, 66)
        box = b""
        for n, at in enumerate(range(0, len(packed), 16), 1):
            pad = Cipher(algorithms.AES(keys[:32]), modes.ECB()).encryptor().update(n.to_bytes(16, "little"))
            box += bytes(a ^ b for a, b in zip(packed[at:at + 16], pad))
        data = word + keys[64:] + box + hmac.digest(keys[32:64], box, "sha1")[:10]
        extra = struct.pack("<HHH2sBH", 0x9901, 7, 2, b"AE", 3, 8)
        common = struct.pack("<HHHHHIIIHH", 51, 1, 99, 0, 0x58a1, 0, len(data), len(text.encode()), len(name), len(extra))
        directory += b"PK\1\2" + struct.pack("<H", 51) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode() + extra
        body += b"PK\3\4" + common + name.encode() + extra + data
    return body + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(body), 0)


def make_raivo():
    plain = json.dumps([
        raivo("GitHub", "alice", "github", algorithm="SHA256", digits="8", timer="60"),
        raivo("Counting House", "dave", "token", kind="HOTP", counter="7"),
        raivo("Odd", "carol", "odd", kind="YANDEX"),
        raivo("Broken", "erin", "x", digits="six"),
    ])
    write("raivo.json", plain)
    write("raivo.zip", archive_aes({"raivo-otp-export.html": "<html></html>", "raivo-otp-export.json": plain}))


for make in [make_authy, make_freeotp, make_bitwarden, make_keepass, make_onepassword, make_proton_authenticator, make_proton_pass, make_lastpass, make_raivo]:
    make()
