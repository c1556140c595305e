import java.io.FileOutputStream;
import java.io.ObjectOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashMap;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;

/** Makes backups as FreeOTP 2 does, with the calls of its own MasterKey, EncryptedKey and TokenPersistence. */
public class FreeOTP2 {
    static byte[] sha1(String name) throws Exception {
        return MessageDigest.getInstance("SHA-1").digest(name.getBytes(StandardCharsets.UTF_8));
    }

    /** What gson writes of an EncryptedKey. The nonce would be random. */
    static String encrypt(SecretKey key, byte[] plain, String token, String nonce) throws Exception {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(Cipher.ENCRYPT_MODE, key, new GCMParameterSpec(128, Arrays.copyOf(sha1(nonce), 12)));
        cipher.updateAAD(token.getBytes(StandardCharsets.UTF_8));
        String text = bytes(cipher.doFinal(plain));
        return "{\"mCipher\":\"AES/GCM/NoPadding\",\"mCipherText\":" + text + ",\"mParameters\":"
                + bytes(cipher.getParameters().getEncoded()) + ",\"mToken\":\"" + token + "\"}";
    }

    static String bytes(byte[] b) {
        return Arrays.toString(b).replace(" ", "");
    }

    static String masterKey(SecretKey master, String hash, int rounds) throws Exception {
        byte[] salt = Arrays.copyOf(sha1("salt"), 32);
        SecretKeyFactory factory = SecretKeyFactory.getInstance(hash);
        byte[] key = factory.generateSecret(new PBEKeySpec("test".toCharArray(), salt, rounds, 256)).getEncoded();
        return "{\"mAlgorithm\":\"" + hash + "\",\"mEncryptedKey\":"
                + encrypt(new SecretKeySpec(key, "AES"), master.getEncoded(), "AES", "master")
                + ",\"mIterations\":" + rounds + ",\"mSalt\":" + bytes(salt) + "}";
    }

    static void put(HashMap<String, String> map, SecretKey master, String id, String token, String hmac) throws Exception {
        String key = encrypt(master, sha1(id), hmac, id);
        map.put(id, "{\"key\":\"" + key.replace("\\", "\\\\").replace("\"", "\\\"") + "\"}");
        map.put(id + "-token", token);
    }

    static void write(String file, HashMap<String, String> map) throws Exception {
        try (ObjectOutputStream out = new ObjectOutputStream(new FileOutputStream(file))) {
            out.writeObject(map);
        }
    }

    public static void main(String[] args) throws Exception {
        SecretKey master = new SecretKeySpec(Arrays.copyOf(sha1("master"), 32), "AES");
        HashMap<String, String> map = new HashMap<>();
        put(map, master, "github", "{\"algo\":\"SHA256\",\"digits\":8,\"issuerExt\":\"GitHub\",\"issuerInt\":\"GitHub\",\"label\":\"alice\",\"period\":60,\"type\":\"TOTP\"}", "HmacSHA256");
        put(map, master, "plain", "{\"issuerInt\":\"Plain\",\"label\":\"\u00e9ve \ud83d\ude00\",\"type\":\"TOTP\"}", "HmacSHA1");
        put(map, master, "token", "{\"algo\":\"SHA1\",\"counter\":7,\"digits\":6,\"issuerExt\":\"Counting House\",\"label\":\"dave\",\"type\":\"HOTP\"}", "HmacSHA1");
        put(map, master, "steam", "{\"algo\":\"SHA1\",\"issuerExt\":\"Steam\",\"label\":\"erin\",\"period\":30,\"type\":\"TOTP\"}", "HmacSHA1");
        put(map, master, "sha384", "{\"algo\":\"SHA384\",\"issuerExt\":\"Odd\",\"label\":\"frank\",\"type\":\"TOTP\"}", "HmacSHA384");
        map.put("masterKey", masterKey(master, "PBKDF2withHmacSHA512", 100000));
        write(args[0] + "/freeotp2.bin", map);

        // Halves of accounts, and one whose seed is encrypted for something else.
        map.remove("plain");
        map.remove("token-token");
        map.put("github", map.get("github").replace("HmacSHA256", "HmacSHA1"));
        map.put("masterKey", masterKey(master, "PBKDF2withHmacSHA1", 1000));
        write(args[0] + "/freeotp2_damaged.bin", map);
    }
}
