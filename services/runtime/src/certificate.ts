import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { RuntimeError } from './errors.ts';

const koffi: typeof Koffi = createRequire(import.meta.url)('koffi');

/** A TLS identity that lives as long as this process. */
export interface FreshIdentity {
  readonly privateKeyPem: string;
  readonly certificatePem: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
}

const lifetimeSeconds = 10 * 365 * 86_400;

/**
 * A new P-256 key with a self-signed certificate that says nothing but the key: what it stands for is in the evidence.
 * Written by the OpenSSL that Node carries (a TypeScript library for X.509 costs 60 ms of every start,
 * docs/decisions/0005-runtime-openssl.md).
 */
export function makeIdentity(): FreshIdentity {
  const openssl = koffi.load(null);
  const pointer = 'void *';
  const call = (
    name: string,
    result: string,
    parameters: string[],
  ): Koffi.KoffiFunc<(...args: unknown[]) => unknown> => openssl.func(name, result, parameters);
  const fail = (step: string): never => {
    throw new RuntimeError('SYSTEM', `making a certificate: OpenSSL refused ${step}`);
  };
  const some = (step: string, value: unknown): unknown => value ?? fail(step);
  const done = (step: string, value: unknown): void => {
    if (typeof value !== 'number' || value <= 0) fail(step);
  };

  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  const name = Buffer.from('Ensconce runtime');

  const newMemoryBio = call('BIO_new_mem_buf', pointer, ['uint8_t *', 'int']);
  const freeBio = call('BIO_free', 'int', [pointer]);
  const input = some('the key', newMemoryBio(pkcs8, pkcs8.length));
  const key = some('the key', call('d2i_PrivateKey_bio', pointer, [pointer, pointer])(input, null));
  freeBio(input);
  const certificate = some('a certificate', call('X509_new', pointer, [])());
  done('the version', call('X509_set_version', 'int', [pointer, 'long'])(certificate, 2));
  const serial = call('X509_get_serialNumber', pointer, [pointer])(certificate);
  done('the serial number', call('ASN1_INTEGER_set_uint64', 'int', [pointer, 'uint64_t'])(serial, 1));
  const adjust = call('X509_gmtime_adj', pointer, [pointer, 'long']);
  some('notBefore', adjust(call('X509_getm_notBefore', pointer, [pointer])(certificate), -86_400));
  some('notAfter', adjust(call('X509_getm_notAfter', pointer, [pointer])(certificate), lifetimeSeconds));
  const subject = call('X509_get_subject_name', pointer, [pointer])(certificate);
  const addName = call('X509_NAME_add_entry_by_txt', 'int', [
    pointer,
    'str',
    'int',
    'uint8_t *',
    'int',
    'int',
    'int',
  ]);
  const utf8String = 0x1000;
  done('the name', addName(subject, 'CN', utf8String | 1, name, name.length, -1, 0));
  done('the issuer', call('X509_set_issuer_name', 'int', [pointer, pointer])(certificate, subject));
  done('the public key', call('X509_set_pubkey', 'int', [pointer, pointer])(certificate, key));
  done(
    'the signature',
    call('X509_sign', 'int', [pointer, pointer, pointer])(
      certificate,
      key,
      call('EVP_sha256', pointer, [])(),
    ),
  );
  const output = call('BIO_new', pointer, [pointer])(call('BIO_s_mem', pointer, [])());
  done('the encoding', call('i2d_X509_bio', 'int', [pointer, pointer])(output, certificate));
  const buffer = Buffer.alloc(4096);
  const length = call('BIO_read', 'int', [pointer, 'uint8_t *', 'int'])(output, buffer, buffer.length);
  done('the encoding', length);
  freeBio(output);
  call('X509_free', 'void', [pointer])(certificate);
  call('EVP_PKEY_free', 'void', [pointer])(key);

  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    certificatePem: new X509Certificate(buffer.subarray(0, Number(length))).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
  };
}
