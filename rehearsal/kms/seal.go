package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"

	"github.com/unstale/unstale/rehearsal/wire"
)

// seal encrypts with the key; context binds the result as AWS's encryption context does.
func (k *Key) seal(plain []byte, context map[string]string) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce)
	blob := append([]byte(k.ARN+"\x00"), nonce...)
	return aead.Seal(blob, nonce, plain, contextBytes(context)), nil
}

// open decrypts what seal made, without the ARN in front.
func (k *Key) open(blob []byte, context map[string]string) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	if len(blob) < aead.NonceSize() {
		return nil, invalidCiphertext()
	}
	plain, err := aead.Open(nil, blob[:aead.NonceSize()], blob[aead.NonceSize():], contextBytes(context))
	if err != nil {
		return nil, invalidCiphertext()
	}
	return plain, nil
}

func (k *Key) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.secret[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func contextBytes(context map[string]string) []byte {
	var out []byte
	for _, k := range slices.Sorted(maps.Keys(context)) {
		out = fmt.Appendf(out, "%q=%q;", k, context[k])
	}
	return out
}

func invalidCiphertext() error {
	return wire.Errorf(400, "InvalidCiphertextException", "The ciphertext is not one of this key and encryption context.")
}
