#!/usr/bin/env python3
"""Makes the exports of authenticator programs that importer's tests read, by another route than importer's own.

Seeds and names are invented; the password is "test". It needs python3-cryptography (44 or newer, for Argon2id),
libsodium.so.23 and python3-pskc. The encrypted files differ each time it runs, for their salts do.
"""

import base64
import ctypes
import hashlib
import json
import os
import pathlib
import struct
import urllib.parse

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

HERE = pathlib.Path(__file__).parent
PASSWORD = b"test"

# kind, issuer, name, secret, algorithm, digits, period or counter
ALICE = ("totp", "Example", "alice", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "SHA1", 6, 30)
BOB = ("totp", "Béla & Co", "bob@example.org", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA", "SHA256", 8, 60)
CAROL = ("totp", "Exotic", "carol", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOV3HO6DZPJAUEQ2EIVDEOSCJJJFUYTKOJ5IFCUSTKRKVMV2YLFNDAMJSGM2DKNRXHA4TUOZ4HU7D6QA", "SHA512", 6, 30)
DAVE = ("hotp", "Counting House", "dave", "KRUGS4ZANFZSA3TPOQQGCIDTMVSWIIJB", "SHA1", 6, 7)
EVE = ("steam", "Steam", "eve", "ONXW2ZJAMRQXIYJAO5UXI2BAON2GK", "SHA1", 5, 30)
MALLORY = ("totp", "Old Bank", "mallory", "JBSWY3DPEHPK3PXP", "MD5", 6, 30)
LONG = ("totp", "A Rather Long-Winded Institution", "somebody.with.a.long.name@mail.example.org", "JBSWY3DPEHPK3PXP", "SHA1", 6, 30)
BROKEN = ("totp", "Broken", "seed", "JBSW0189", "SHA1", 6, 30)
ALL = [ALICE, BOB, CAROL, DAVE, EVE, MALLORY, LONG, BROKEN]


def write(name, data):
    (HERE / name).write_bytes(data.encode() if isinstance(data, str) else data)


def b64(data):
    return base64.b64encode(data).decode()


def seed(account):
    text = account[3]
    return base64.b32decode(text + "=" * (-len(text) % 8))


def factor(account, period="period", counter="counter"):
    """The moving factor under the name that fits."""
    return {counter if account[0] == "hotp" else period: account[6]}


def pbkdf2(hash, salt, rounds, password=PASSWORD):
    return hashlib.pbkdf2_hmac(hash, password, salt, rounds, 32)


def argon2id(salt, passes, memory, lanes, password=PASSWORD):
    return Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory).derive(password)


def gcm(key, nonce, text, bound=None):
    """Any length of nonce, tag at the end."""
    cipher = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
    if bound:
        cipher.authenticate_additional_data(bound)
    return cipher.update(text) + cipher.finalize() + cipher.tag


def cbc(key, iv, text):
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return cipher.update(padder.update(text) + padder.finalize()) + cipher.finalize()


def uri(account):
    kind, issuer, name, secret, algorithm, digits, _ = account
    query = {"secret": secret, "issuer": issuer, "algorithm": algorithm, "digits": digits, **factor(account)}
    return f"otpauth://{kind}/{urllib.parse.quote(issuer + ':' + name)}?{urllib.parse.urlencode(query)}"


def otpauth():
    # Blank lines, a comment, and what other programs add to the URIs.
    lines = ["# a list", ""] + [uri(a) for a in ALL] + [
        "  otpauth://totp/bare?secret=mzxw+6ytb-oi======&algorithm=&image=https%3A%2F%2Fexample.org%2Fa.png ",
        "steam://" + EVE[3],
        "otpauth://totp/?issuer=Nameless&secret=JBSWY3DPEHPK3PXP",
        "otpauth://yaotp/somebody?secret=JBSWY3DPEHPK3PXP",
        "not a URI",
    ]
    write("otpauth.txt", "\r\n".join(lines) + "\r\n")
    write("otpauth_bom.txt", b"\xef\xbb\xbf" + uri(ALICE).encode() + b"\n")
    write("otpauth_utf16le.txt", b"\xff\xfe" + (uri(ALICE) + "\r\n").encode("utf-16-le"))
    write("otpauth_utf16be.txt", b"\xfe\xff" + (uri(ALICE) + "\r\n").encode("utf-16-be"))


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def google_parameters(account):
    kind, issuer, name, _, algorithm, digits, counter = account
    out = field(1, seed(account)) + field(2, f"{issuer}:{name}") + field(3, issuer)
    out += field(4, {"SHA1": 1, "SHA256": 2, "SHA512": 3, "MD5": 4}[algorithm])
    out += field(5, {6: 1, 8: 2}[digits]) + field(6, {"hotp": 1, "totp": 2}[kind])
    return out + (field(7, counter) if kind == "hotp" else b"")


def migration(accounts, size, index, id):
    payload = b"".join(field(1, google_parameters(a)) for a in accounts)
    payload += field(2, 1) + field(3, size) + field(4, index) + field(5, id)
    return "otpauth-migration://offline?data=" + urllib.parse.quote(b64(payload), safe="")


def google():
    write("google.txt", migration([ALICE, CAROL, DAVE, MALLORY, LONG], 1, 0, 1234) + "\n")
    # Three codes, the second in a file of its own, the third nowhere; and a '+' that became a blank.
    write("google_batch1.txt", migration([ALICE], 3, 0, 99) + "\n")
    write("google_batch2.txt", urllib.parse.unquote(migration([DAVE, CAROL], 3, 1, 99)).replace("+", " ") + "\n")


def aegis_entry(account):
    kind, issuer, name, secret, algorithm, digits, _ = account
    return {"type": kind, "uuid": "00000000-0000-4000-8000-000000000000", "name": name, "issuer": issuer, "note": "", "icon": None,
            "info": {"secret": secret, "algo": algorithm, "digits": digits, **factor(account)}}


def aegis():
    motp = {"type": "motp", "name": "frank", "issuer": "Modem", "info": {"secret": "JBSWY3DPEHPK3PXP", "algo": "MD5", "digits": 6, "period": 10, "pin": "1234"}}
    odd = {"type": "totp", "name": "odd", "issuer": "Odd", "info": {"secret": "JBSWY3DPEHPK3PXP", "algo": "SHA1", "digits": "six", "period": 30}}
    db = {"version": 3, "entries": [aegis_entry(a) for a in ALL] + [motp, odd], "groups": []}
    write("aegis.json", json.dumps({"version": 1, "header": {"slots": None, "params": None}, "db": db}, indent=4))

    master = os.urandom(32)
    slots = [{"type": 2, "uuid": "", "key": os.urandom(32).hex(), "key_params": {"nonce": os.urandom(12).hex(), "tag": os.urandom(16).hex()}}]
    for password in (b"another", PASSWORD):
        salt, nonce = os.urandom(32), os.urandom(12)
        key = Scrypt(salt=salt, length=32, n=1 << 10, r=8, p=1).derive(password)
        box = gcm(key, nonce, master)
        slots.append({"type": 1, "uuid": "", "key": box[:-16].hex(), "key_params": {"nonce": nonce.hex(), "tag": box[-16:].hex()},
                      "n": 1 << 10, "r": 8, "p": 1, "salt": salt.hex(), "repaired": True, "is_backup": False})
    nonce = os.urandom(12)
    db["entries"] = [aegis_entry(a) for a in (ALICE, BOB, DAVE, EVE)]
    box = gcm(master, nonce, json.dumps(db).encode())
    params = {"nonce": nonce.hex(), "tag": box[-16:].hex()}
    write("aegis_encrypted.json", json.dumps({"version": 1, "header": {"slots": slots, "params": params}, "db": b64(box[:-16])}).replace("/", "\\/"))


def twofas_service(account, schema):
    kind, issuer, name, secret, algorithm, digits, _ = account
    otp = {"label": f"{issuer}:{name}", "account": name, "issuer": issuer, "digits": digits, **factor(account)}
    if schema > 1:
        otp |= {"algorithm": algorithm, "tokenType": kind.upper(), "source": "Link"}
    return {"name": issuer, "secret": secret, "updatedAt": 1700000000000, "otp": otp, "order": {"position": 0}}


def twofas():
    plain = {1: [ALICE], 2: [ALICE, BOB, DAVE], 3: [ALICE, CAROL, EVE], 4: ALL}
    for schema, accounts in plain.items():
        services = [twofas_service(a, schema) for a in accounts]
        if schema == 4:
            services.append({"name": "Only A Name", "secret": "JBSWY3DPEHPK3PXP", "otp": {"source": "Manual", "tokenType": "TOTP"}})
        write(f"2fas_v{schema}.2fas", json.dumps({"services": services, "groups": [], "updatedAt": 1, "schemaVersion": schema, "appOrigin": "ios"}))
    salt, iv = os.urandom(256), os.urandom(12)
    services = json.dumps([twofas_service(a, 4) for a in (ALICE, BOB, DAVE, EVE)]).encode()
    text = ":".join(b64(part) for part in (gcm(pbkdf2("sha256", salt, 10_000), iv, services), salt, iv))
    write("2fas_encrypted_v4.2fas", json.dumps({"services": [], "servicesEncrypted": text, "reference": "", "schemaVersion": 4}))


def andotp_entry(account, new=True):
    kind, issuer, name, secret, algorithm, digits, _ = account
    entry = {"secret": secret, "issuer": issuer, "label": name, "digits": digits, "type": kind.upper(), "algorithm": algorithm,
             "thumbnail": "Default", "last_used": 1700000000000, "used_frequency": 0, **factor(account), "tags": ["work"]}
    if not new:
        del entry["issuer"], entry["used_frequency"]
        entry["label"] = f"{issuer} - {name}"
    return entry


def andotp():
    write("andotp.json", json.dumps([andotp_entry(a) for a in ALL]))
    old = [andotp_entry(a, new=False) for a in (ALICE, DAVE)]
    write("andotp_old.json", json.dumps(old))
    write("andotp_first.json", json.dumps([{"secret": ALICE[3], "label": "Example - alice", "period": 30}]))
    text = json.dumps([andotp_entry(a) for a in (ALICE, BOB, DAVE, EVE)]).encode()
    salt, iv, rounds = os.urandom(12), os.urandom(12), 1500
    write("andotp_encrypted.bin", struct.pack(">I", rounds) + salt + iv + gcm(pbkdf2("sha1", salt, rounds), iv, text))
    write("andotp_encrypted_old.bin", iv + gcm(hashlib.sha256(PASSWORD).digest(), iv, json.dumps(old).encode()))

    def gnome(account):
        entry = andotp_entry(account, new=False)
        entry |= {"label": account[2], "tags": [account[1]], "type": account[0].upper(), "last_used": 0}
        entry.setdefault("period", 30)
        return entry

    write("gnome_authenticator.json", json.dumps([gnome(a) for a in (ALICE, BOB, CAROL)]))


def secretstream(key, text):
    """One final chunk, by libsodium itself."""
    sodium = ctypes.CDLL("libsodium.so.23")
    state, header = ctypes.create_string_buffer(52), ctypes.create_string_buffer(24)
    sodium.crypto_secretstream_xchacha20poly1305_init_push(state, header, key)
    out = ctypes.create_string_buffer(len(text) + 17)
    sodium.crypto_secretstream_xchacha20poly1305_push(state, out, None, text, ctypes.c_ulonglong(len(text)), None, ctypes.c_ulonglong(0), ctypes.c_ubyte(3))
    return header.raw, out.raw


def ente():
    def line(account):
        return uri(account).replace("+", "%20") + "&codeDisplay=" + urllib.parse.quote(json.dumps({"pinned": False, "note": "n" * 5000}))

    text = "\n".join(line(a) for a in (ALICE, BOB, DAVE, EVE)).encode()
    salt = os.urandom(16)
    for name, extra in ("ente_encrypted.txt", b""), ("ente_encrypted_padded.txt", b"\n" * (15 - len(text) % 16)):
        header, box = secretstream(argon2id(salt, 2, 8 << 10, 1), text + extra)
        write(name, json.dumps({"version": 1, "kdfParams": {"memLimit": 8 << 20, "opsLimit": 2, "salt": b64(salt)},
                                "encryptedData": b64(box), "encryptionNonce": b64(header)}))


def ente_plain():
    # What the app saves by itself: each URI as a string of JSON, and what is in the trash too.
    def saved(account, **display):
        return json.dumps(uri(account) + "&codeDisplay=" + urllib.parse.quote(json.dumps({"pinned": False, "trashed": False, **display})))

    write("ente_backup.txt", "\n".join([saved(ALICE), saved(EVE), saved(DAVE, trashed=True)]) + "\n")
    # Its first versions escaped nothing, and forgot an '&'.
    write("ente_old.txt", "\n".join([
        f"otpauth://totp/Béla Co #1:bob@example.org?algorithm=Algorithm.sha256&digits=8&issuer=Béla Co #1&period=60&secret={BOB[3]}",
        f"otpauth://totp/Example:alice?algorithm=SHA1&digits=6&issuer=Exampleperiod=30&secret={ALICE[3].lower()}",
    ]) + "\n")


def stratum():
    def entry(account):
        kind, issuer, name, secret, algorithm, digits, _ = account
        return {"Type": {"hotp": 1, "totp": 2, "steam": 4}[kind], "Icon": None, "Issuer": issuer, "Username": name, "Secret": secret, "Pin": None,
                "Algorithm": {"SHA1": 0, "SHA256": 1, "SHA512": 2, "MD5": 3}[algorithm], "Digits": digits,
                "Period": 30, "Counter": 0, "CopyCount": 3, "Ranking": 0, **factor(account, "Period", "Counter")}

    mobile = entry(ALICE) | {"Type": 3, "Issuer": "Modem", "Username": "frank", "Pin": "1234"}
    nameless = entry(ALICE) | {"Username": None}
    text = json.dumps({"Authenticators": [entry(a) for a in ALL] + [mobile, nameless], "Categories": [], "AuthenticatorCategories": [], "CustomIcons": []})
    write("stratum.json", text)
    salt, iv = os.urandom(16), os.urandom(12)
    text = json.dumps({"Authenticators": [entry(a) for a in (ALICE, BOB, DAVE, EVE)], "Categories": []}).encode()
    write("stratum_encrypted.stratum", b"AUTHENTICATORPRO" + salt + iv + gcm(argon2id(salt, 3, 1 << 16, 4), iv, text))
    salt, iv = os.urandom(20), os.urandom(16)
    write("stratum_legacy.authpro", b"AuthenticatorPro" + salt + iv + cbc(pbkdf2("sha1", salt, 64_000), iv, text))


def otpclient():
    def entry(account):
        kind, issuer, name, secret, algorithm, digits, _ = account
        return {"type": kind.upper() if kind != "steam" else "TOTP", "label": name, "issuer": issuer, "digits": digits, "algo": algorithm,
                "secret": secret, "group": "", **factor(account)}

    accounts = [entry(a) for a in (ALICE, BOB, DAVE, EVE)]
    write("otpclient.json", json.dumps(accounts))
    text = json.dumps(accounts, separators=(",", ":")).encode()
    iv, salt = os.urandom(16), os.urandom(32)
    head = iv + salt
    write("otpclient_v1.enc", head + gcm(pbkdf2("sha512", salt, 100_000), iv, text + b"\0", head))
    passes, memory, lanes = 1, 8 << 10, 4
    key = argon2id(salt, passes, memory, lanes)
    head = struct.pack("<9s3xi16s32siii", b"OTPClient", 2, iv, salt, passes, memory, lanes)
    write("otpclient_v2.enc", head + gcm(key, iv, text + b"\0", head))
    # Its second version took the number of characters for that of bytes: "tést" became "tés".
    write("otpclient_v2_short.enc", head + gcm(argon2id(salt, passes, memory, lanes, "tést".encode()[:4]), iv, text + b"\0", head))
    head = struct.pack(">9si16s32siii", b"OTPClient", 3, iv, salt, passes, memory, lanes)
    write("otpclient_v3.enc", head + gcm(key, iv, text, head))


def pskc():
    from pskc import PSKC

    def container():
        doc = PSKC()
        for number, account in enumerate((ALICE, BOB, CAROL, DAVE, MALLORY)):
            kind, issuer, name, _, algorithm, digits, counter = account
            key = doc.add_key(id=str(number), serial=str(number), manufacturer="oathd", secret=seed(account), issuer=issuer, friendly_name=name,
                              algorithm=f"urn:ietf:params:xml:ns:keyprov:pskc:{kind}", response_encoding="DECIMAL", response_length=digits)
            key.algorithm_suite = None if algorithm == "SHA1" else f"HMAC-{algorithm}"
            setattr(key, "counter" if kind == "hotp" else "time_interval", counter)
        return doc

    container().write(str(HERE / "pskc.xml"))
    doc = container()
    doc.encryption.setup_pbkdf2(PASSWORD, iterations=1000)
    doc.write(str(HERE / "pskc_encrypted.xml"))
    doc = container()
    doc.encryption.setup_pbkdf2(PASSWORD, iterations=1000, algorithm="aes256-cbc", key_length=32, prf="hmac-sha256", fields=["secret", "counter"])
    doc.mac.setup(algorithm="hmac-sha256")
    doc.write(str(HERE / "pskc_encrypted_aes256.xml"))


if __name__ == "__main__":
    for make in otpauth, google, aegis, twofas, andotp, ente, ente_plain, stratum, otpclient, pskc:
        make()
