#!/usr/bin/python3
"""Makes fixtures with the tools of others: SQLite's own library, SQLCipher 3, openssl, 7-Zip and Info-ZIP.

    apt install python3 openssl zip 7zip sqlcipher    # sqlcipher of Debian 12 is SQLCipher 3
    ./make_c.py

All seeds are invented. SEVENZIP and SQLCIPHER name the programs where they are called something else.
"""

import base64
import hashlib
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import xml.sax.saxutils

HERE = pathlib.Path(__file__).parent
PASSWORD = "test"


def seed(text):
    """An invented seed of 20 bytes."""
    return hashlib.sha1(text.encode()).digest()


def base32(text):
    return base64.b32encode(seed(text)).decode()


def tool(name, instead):
    return os.environ.get(name, instead)


GOOGLE = "CREATE TABLE accounts (_id INTEGER PRIMARY KEY, email TEXT NOT NULL, secret TEXT NOT NULL, counter INTEGER DEFAULT 0, type INTEGER, provider INTEGER DEFAULT 0)"
# The columns that came with later versions of the app: rows from before do not have them.
GOOGLE_LATER = ["ALTER TABLE accounts ADD COLUMN issuer TEXT DEFAULT NULL", "ALTER TABLE accounts ADD COLUMN original_name TEXT DEFAULT NULL"]


def database(name, page_size=4096):
    path = HERE / name
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA page_size={page_size}")
    db.execute("CREATE TABLE android_metadata (locale TEXT)")
    db.execute("INSERT INTO android_metadata VALUES ('en_US')")
    return db


def google_rows(db):
    db.execute(GOOGLE)
    db.execute("INSERT INTO accounts (email, secret, type) VALUES ('old@example.com', ?, 0)", [base32("old").lower()])
    for change in GOOGLE_LATER:
        db.execute(change)
    add = "INSERT INTO accounts (email, secret, counter, type, provider, issuer, original_name) VALUES (?, ?, ?, ?, 0, ?, ?)"
    for row in [
        ("alice@example.com", base32("github"), 0, 0, "GitHub", "GitHub:alice@example.com"),
        ("GitHub:bob", base32("bob"), 0, 0, "GitHub", "GitHub:bob"),
        ("Bank:carol", base32("bank"), 0, 0, None, "Bank:carol"),
        ("gone", base32("gone"), 0, 0, "Deleted", "gone"),
        ("token", base32("hotp"), 300, 1, "Issuu", "token"),
        ("encrypted", "NO BASE32: 0189!", 0, 0, "New", "encrypted"),
        ("strange", base32("strange"), 0, 9, "Strange", "strange"),
        ("long" * 200, base32("long"), 0, 0, "Long", "long"),
        ("Zoë", base32("zoe"), 0, 0, "Überbank", None),
    ]:
        db.execute(add, row)
    db.execute("DELETE FROM accounts WHERE email = 'gone'")


def google():
    db = database("google_sqlite.db", 512)
    google_rows(db)
    db.commit()
    db.close()


MICROSOFT = """CREATE TABLE accounts (_id integer primary key autoincrement, group_key text not null, name text not null, username text not null, paws_url text,
 oath_secret_key text not null, oath_enabled integer not null, cid text, cached_pin text, ngc_ski text, aad_user_id text, aad_tenant_id text,
 account_type integer not null default 0, "account_capability" integer, encrypted_oath_secret_key text, CONSTRAINT one UNIQUE (name, username, cid))"""


def microsoft():
    db = database("microsoft_sqlite.db")
    db.execute(MICROSOFT)
    add = "INSERT INTO accounts (group_key, name, username, oath_secret_key, oath_enabled, account_type, encrypted_oath_secret_key) VALUES ('', ?, ?, ?, 0, ?, ?)"
    for row in [
        ("GitHub", "alice", base32("github"), 0, None),
        ("Microsoft", "alice@outlook.example", base64.b64encode(seed("personal")).decode(), 1, None),
        ("Contoso", "alice@contoso.example", "", 2, None),
        ("Newer", "alice", "", 0, base64.b64encode(b"only the telephone knows").decode()),
        ("Damaged", "alice", "1 is no base32", 0, None),
    ]:
        db.execute(add, row)
    db.commit()
    db.close()


def duo():
    write_json("duo.json", [
        {"version": 1.0, "accountType": "DuoAccount", "name": "company", "pkey": "3"},
        {"version": 1.0, "accountType": "OtpAccount", "name": "alice", "otpGenerator": {"otpSecret": base32("github")}, "logoUri": "file:///logo.png", "pkey": "1"},
        {"version": 1.0, "accountType": "OtpAccount", "name": "Bank:bob", "otpGenerator": {"otpSecret": base32("bank"), "counter": 3}, "pkey": "2"},
        {"version": 1.0, "accountType": "OtpAccount", "name": "damaged", "otpGenerator": {"otpSecret": 17}, "pkey": "4"},
    ])


def steam():
    account = {
        "steamid": "76561190000000000", "shared_secret": base64.b64encode(seed("steam")).decode(), "serial_number": "1", "revocation_code": "R00000",
        "uri": "otpauth://totp/Steam:dave?secret=" + base32("steam") + "&issuer=Steam", "server_time": "0", "account_name": "dave", "token_gid": "0",
        "identity_secret": base64.b64encode(seed("identity")).decode(), "secret_1": base64.b64encode(seed("one")).decode(), "status": 1,
    }
    write_json("steam.maFile", account)
    write_json("steam_accounts.json", {"accounts": {"76561190000000000": account, "76561190000000001": {"account_name": "erin", "shared_secret": "!"}}})
    write_json("steam_manifest.json", {"encrypted": True, "entries": [{"encryption_iv": "AAAA", "encryption_salt": "AAAA", "filename": "1.maFile", "steamid": 1}]})


def totp_authenticator():
    accounts = json.dumps([
        {"base": 16, "digits": "6", "period": "30", "issuer": "GitHub", "key": seed("github").hex().upper(), "name": "alice", "isFavorite": False},
        {"base": 32, "digits": "", "period": "", "issuer": "Unknown", "key": base32("bank"), "name": "bob"},
        {"base": 64, "digits": "8", "period": "60", "issuer": "Strict", "key": base64.b64encode(seed("strict")).decode(), "name": 'carol "the" <first>'},
        {"base": 10, "digits": "6", "period": "30", "issuer": "Odd", "key": "1234", "name": "dave"},
    ], separators=(",", ":"))
    backup = json.dumps({accounts: "1608293023"}, separators=(",", ":")).encode()
    for name, password in [("totp_authenticator.txt", "TotpAuthenticator"), ("totp_authenticator_password.txt", PASSWORD)]:
        key = hashlib.sha256(password.encode()).hexdigest()
        box = subprocess.run(["openssl", "enc", "-aes-256-cbc", "-K", key, "-iv", "0" * 32], input=backup, stdout=subprocess.PIPE, check=True).stdout
        (HERE / name).write_bytes(base64.b64encode(box))
    write_preferences("totp_authenticator.xml", {"SORT_ACCOUNT_BY": "CUSTOM", "STATIC_TOTP_CODES_LIST": accounts})


# The mask of Blizzard's apps, https://gist.github.com/stbuehler/8616943.
MASK = bytes([57, 142, 39, 252, 80, 39, 106, 101, 96, 101, 176, 229, 37, 244, 192, 108, 4, 198, 16, 117, 40, 107, 142, 122, 237, 165, 157, 169, 129, 59, 93,
              214, 200, 13, 47, 179, 128, 104, 119, 63, 165, 155, 164, 124, 23, 202, 108, 100, 121, 1, 92, 29, 91, 139, 143, 107, 154])


def hide(text):
    return bytes(a ^ b for a, b in zip(text.encode(), MASK)).hex()


def battlenet():
    write_preferences("battlenet.xml", {"com.blizzard.bma.AUTH_STORE.HASH": hide(seed("blizzard").hex() + "EU-1234-5678-9012")})
    write_preferences("battlenet_messenger.xml", {
        "com.blizzard.messenger.AUTHENTICATOR_SERIAL": hide("US-1234-5678-9012"),
        "com.blizzard.messenger.AUTHENTICATOR_DEVICE_SECRET": hide(seed("messenger").hex()),
    })


def winauth():
    lines = [
        f"otpauth://totp/My+Bank?secret={base32('bank')}&digits=6&icon=WinAuth",
        f"otpauth://totp/Two Words:alice%2bone%40example.com?secret={base32('github')}&digits=6&issuer=Two+Words&icon=Google",
        f"otpauth://totp/BattleNet:Battle.net?secret={base32('blizzard')}&digits=8&issuer=BattleNet&serial=EU123456789012&icon=BattleNetAuthenticator",
        f"otpauth://totp/Steam:dave?secret={base32('steam')}&digits=5&issuer=Steam&deviceid=android%3a1&data=%7b%22steamid%22%3a%221%22%7d&icon=Steam",
        f"otpauth://hotp/token?secret={base32('hotp')}&digits=6&counter=41&icon=WinAuth",
        f"otpauth://totp/Long:alice?secret={base32('long')}&digits=6&issuer=Long&algorithm=SHA512&icon=base64%3a{'A' * 6000}&period=60",
        "otpauth://totp/Broken?secret=1&digits=6",
    ]
    text = "\r\n".join(lines) + "\r\n"
    (HERE / "winauth.txt").write_text(text, newline="")
    pack(["zip", "-q", "-e", "-P", PASSWORD, "winauth.zip", "winauth.txt"], {"winauth.txt": text})


PLUS = GOOGLE[:-1] + ", issuer TEXT DEFAULT NULL, original_name TEXT DEFAULT NULL, category TEXT DEFAULT NULL)"


def plus():
    text = "".join(f"otpauth://totp/{label}?secret={base32(name)}&issuer={issuer}&digits=6\n" for label, name, issuer in [("Google:alice", "google", "Google"), ("Dropbox:bob", "dropbox", "Dropbox")])
    pack([tool("SEVENZIP", "7zz"), "a", "-bso0", "-tzip", "-mem=AES256", "-p" + PASSWORD, "authenticator_plus.zip", "Accounts.html", "Accounts.txt"],
         {"Accounts.html": "<html></html>", "Accounts.txt": text})
    path = HERE / "authenticator_plus.db"
    path.unlink(missing_ok=True)
    rows = [
        ("alice", base32("google"), 0, 0, "Google", "Google:alice"), ("bob", base32("hotp"), 5, 1, "", "Token:bob"),
        ("US-1234-5678-9012", seed("blizzard").hex(), 0, 2, "Blizzard", ""),
        ("", "?", 0, 0, "Damaged", ""),
    ]
    values = ", ".join("('%s', '%s', %d, %d, '%s', '%s', 'All Accounts')" % row for row in rows)
    subprocess.run([tool("SQLCIPHER", "sqlcipher"), path], text=True, check=True, stdout=subprocess.DEVNULL, input=f"""
        PRAGMA key = '{PASSWORD}'; {PLUS}; CREATE TABLE category (name TEXT);
        INSERT INTO accounts (email, secret, counter, type, issuer, original_name, category) VALUES {values};""")


def passotp():
    (HERE / "pass_otp.txt").write_text(f"correct horse battery staple\nuser: alice\notpauth://totp/GitHub:alice?secret={base32('github')}&issuer=GitHub\nurl: https://github.com\n")


def pack(command, files):
    """Runs an archiver where its files are, and takes the archive, the first name without a '-' that ends in .zip."""
    archive = next(word for word in command if word.endswith(".zip"))
    with tempfile.TemporaryDirectory() as work:
        for name, text in files.items():
            pathlib.Path(work, name).write_text(text, newline="")
        subprocess.run(command, cwd=work, check=True)
        (HERE / archive).write_bytes(pathlib.Path(work, archive).read_bytes())


def write_json(name, value):
    (HERE / name).write_text(json.dumps(value, indent=1) + "\n")


def write_preferences(name, strings):
    """A file of Android's SharedPreferences, which escape quotes too."""
    lines = "".join(f'    <string name="{key}">{xml.sax.saxutils.escape(text, {chr(34): "&quot;"})}</string>\n' for key, text in strings.items())
    (HERE / name).write_text("<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n    <int name=\"VERSION\" value=\"1\" />\n" + lines + "</map>\n")


for make in (google, microsoft, duo, steam, totp_authenticator, battlenet, winauth, plus, passotp):
    make()
