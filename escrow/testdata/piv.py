"""Opens an age file with a P-256 key, independently of oathd and of age.

    piv.py SCALAR < FILE

SCALAR is the private key in hexadecimal; FILE has a stanza "piv-p256" for it. Written after C2SP's age.md and
age-piv-p256.md, with Debian's python3-cryptography.
"""

import base64
import hashlib
import hmac
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE = ec.SECP256R1()


def unbase64(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def derive(secret, salt, info):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=info).derive(secret)


def parse(data):
    """Returns the stanzas as (arguments, body), what the MAC is over, the MAC, and the payload."""
    end = data.index(b"\n--- ") + 1
    header, (mac, payload) = data[:end].decode(), data[end + 4:].split(b"\n", 1)
    lines = header.splitlines()
    assert lines.pop(0) == "age-encryption.org/v1"
    stanzas = []
    for line in lines:
        if line.startswith("-> "):
            stanzas.append((line[3:].split(" "), []))
        else:
            stanzas[-1][1].append(line)
    stanzas = [(args, unbase64("".join(body))) for args, body in stanzas]
    return stanzas, data[:end + 3], unbase64(mac.decode()), payload


def unwrap(private, stanzas):
    public = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    tag = hashlib.sha256(public).digest()[:4]
    for args, body in stanzas:
        if args[0] != "piv-p256" or unbase64(args[1]) != tag:
            continue
        share = unbase64(args[2])
        assert len(args) == 3 and len(share) == 33 and len(body) == 32
        shared = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, share))
        key = derive(shared, share + public, b"piv-p256")
        return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)
    sys.exit("no stanza for this key")


def main():
    private = ec.derive_private_key(int(sys.argv[1], 16), CURVE)
    stanzas, header, mac, payload = parse(sys.stdin.buffer.read())
    file_key = unwrap(private, stanzas)
    want = hmac.new(derive(file_key, b"", b"header"), header, hashlib.sha256).digest()
    assert hmac.compare_digest(mac, want), "the header's MAC"
    chunk = ChaCha20Poly1305(derive(file_key, payload[:16], b"payload"))
    sys.stdout.buffer.write(chunk.decrypt(bytes(11) + b"\1", payload[16:], None))


main()
