import type { Stored } from './stored.ts';

/** PKCS #9 and PKCS #12 object identifiers (RFC 7292 appendix D). */
const localKeyId = '1.2.840.113549.1.9.21';
const keyBag = '1.2.840.113549.1.12.10.1.1';
const certificateBag = '1.2.840.113549.1.12.10.1.3';

/**
 * DER PKCS #12 of a certificate, its issuers and its private key, with the empty password: nothing in it is encrypted,
 * and its MAC (SHA-256) only tells readers that the password is empty. Like the private key itself it is secret.
 */
export async function pkcs12(stored: Stored<'x509'> & { readonly pkcs8: string }): Promise<Uint8Array> {
  const [pkijs, { OctetString }] = await Promise.all([import('pkijs'), import('asn1js')]);
  const mark = () => [
    new pkijs.Attribute({
      type: localKeyId,
      values: [new OctetString({ valueHex: Uint8Array.of(1).buffer })],
    }),
  ];
  const certificate = (base64: string) =>
    new pkijs.CertBag({ parsedValue: pkijs.Certificate.fromBER(bytes(base64)) });
  const safeBags = [
    new pkijs.SafeBag({
      bagId: keyBag,
      bagValue: pkijs.PrivateKeyInfo.fromBER(bytes(stored.pkcs8)),
      bagAttributes: mark(),
    }),
    new pkijs.SafeBag({
      bagId: certificateBag,
      bagValue: certificate(stored.certificate),
      bagAttributes: mark(),
    }),
    ...stored.issuers.map(
      (issuer) => new pkijs.SafeBag({ bagId: certificateBag, bagValue: certificate(issuer) }),
    ),
  ];
  const value = new pkijs.SafeContents({ safeBags });
  const authenticatedSafe = new pkijs.AuthenticatedSafe({
    parsedValue: { safeContents: [{ privacyMode: 0, value }] },
  });
  await authenticatedSafe.makeInternalValues({ safeContents: [{}] });
  const pfx = new pkijs.PFX({ parsedValue: { integrityMode: 0, authenticatedSafe } });
  const password = new ArrayBuffer(0);
  await pfx.makeInternalValues({
    password,
    iterations: 2048,
    pbkdf2HashAlgorithm: 'SHA-256',
    hmacHashAlgorithm: 'SHA-256',
  });
  return new Uint8Array(pfx.toSchema().toBER(false));
}

function bytes(base64: string): ArrayBuffer {
  return Uint8Array.fromBase64(base64).buffer;
}
