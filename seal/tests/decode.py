"""Opens sealed bodies as docs/decisions/0023-content-sealed-per-author.md describes them, with Python's library alone.

AES is written out (FIPS 197, encryption only: GCM needs no more), slowly and openly; never use it for anything else.
"""

import hashlib
import hmac
import json
import pathlib
import sys
import uuid


def sbox():
    table, p, q = [0x63] * 256, 1, 1
    while True:
        p = p ^ (p << 1) ^ (0x11B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift
        q &= 0xFF
        q ^= 0x09 if q & 0x80 else 0
        rotated = [(q << n | q >> 8 - n) & 0xFF for n in range(5)]
        table[p] = rotated[0] ^ rotated[1] ^ rotated[2] ^ rotated[3] ^ rotated[4] ^ 0x63
        if p == 1:
            return table


SBOX = sbox()


def double(byte):
    return (byte << 1) ^ (0x11B if byte & 0x80 else 0)


def round_keys(key):
    words, rcon = [list(key[i : i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = double(rcon)
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[-8], word)])
    return [sum(words[i : i + 4], []) for i in range(0, 60, 4)]


def aes(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number, key in enumerate(keys[1:], 1):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 14:
            mixed = []
            for column in (state[i : i + 4] for i in range(0, 16, 4)):
                every = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [c ^ every ^ double(c ^ column[(i + 1) % 4]) for i, c in enumerate(column)]
            state = mixed
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


def ghash(h, data):
    y = 0
    for i in range(0, len(data), 16):
        y ^= int.from_bytes(data[i : i + 16], "big")
        z, v = 0, h
        for bit in range(127, -1, -1):
            z ^= v if y >> bit & 1 else 0
            v = (v >> 1) ^ (0xE1 << 120 if v & 1 else 0)
        y = z
    return y.to_bytes(16, "big")


def gcm_open(key, nonce, sealed, authenticated):
    keys, text, tag = round_keys(key), sealed[:-16], sealed[-16:]
    h = int.from_bytes(aes(keys, bytes(16)), "big")
    pad = lambda data: data + bytes(-len(data) % 16)
    lengths = (8 * len(authenticated)).to_bytes(8, "big") + (8 * len(text)).to_bytes(8, "big")
    hashed = ghash(h, pad(authenticated) + pad(text) + lengths)
    stream = lambda counter: aes(keys, nonce + counter.to_bytes(4, "big"))
    if not hmac.compare_digest(tag, bytes(a ^ b for a, b in zip(hashed, stream(1)))):
        return None
    blocks = (stream(2 + i) for i in range((len(text) + 15) // 16))
    return bytes(a ^ b for a, b in zip(text, b"".join(blocks)))


def hkdf(key, salt, info, length):
    prk, done, block = hmac.new(salt, key, hashlib.sha256).digest(), b"", b""
    while len(done) < length:
        block = hmac.new(prk, block + info + bytes([len(done) // 32 + 1]), hashlib.sha256).digest()
        done += block
    return done[:length]


def open_body(vector, author):
    ciphertext = bytes.fromhex(vector["ciphertext"])
    version, salt, commitment, sealed = ciphertext[0], ciphertext[1:33], ciphertext[33:65], ciphertext[65:]
    assert version == 1
    derived = hkdf(bytes.fromhex(vector["key"]), salt, b"natter 2026 sealed content 1", 64)
    if derived[32:] != commitment:
        return None
    kind, target = (1, 0) if vector["edits"] is None else (2, vector["edits"])
    ids = b"".join(uuid.UUID(text).bytes for text in (vector["conversation"], vector["event"], author))
    numbers = bytes([kind]) + target.to_bytes(8, "big") + vector["keyVersion"].to_bytes(4, "big")
    return gcm_open(derived[:32], bytes.fromhex(vector["nonce"]), sealed, bytes([version]) + ids + numbers)


vectors = json.loads((pathlib.Path(__file__).parent / "vectors.json").read_text())
for vector in vectors:
    if open_body(vector, vector["author"]) != vector["text"].encode():
        sys.exit(f"does not open to its text: {vector}")
    if open_body(vector, str(uuid.UUID(int=1))) is not None:
        sys.exit(f"opens for another author: {vector}")
print(f"{len(vectors)} vectors open, {len(vectors)} refuse another author")
