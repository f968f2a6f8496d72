import { toHex } from '@ensconce/base/bytes';
import { DerReader, tags } from '@ensconce/x509/der';
import { X509Error } from '@ensconce/x509/errors';
import type { Certificate } from '@ensconce/x509/certificate';
import type { SnpTcb, TcbLayout } from '@ensconce/evidence/snp/tcb';

/** What AMD certified about the key that signs reports, from the extensions of a VCEK or VLEK (AMD 57230, AMD 58369). */
export interface Vek {
  readonly kind: 'VCEK' | 'VLEK';
  /** "Milan-B0", "Genoa", "Turin"; a VLEK has no stepping. */
  readonly productName: string;
  readonly layout: TcbLayout;
  readonly tcb: SnpTcb;
  /** Hexadecimal; 64 bytes, on Turin 8. VCEK only. */
  readonly hwId: string | undefined;
  /** Name of the cloud provider. VLEK only. */
  readonly cspId: string | undefined;
}

const arc = '1.3.6.1.4.1.3704.1';
const text = new TextDecoder('latin1');

function refuse(expected: string, found: string): never {
  throw new X509Error('X509_STRUCTURE', `VEK certificate: ${expected} expected, ${found} found`);
}

function level(certificate: Certificate, oid: string): number | undefined {
  const extension = certificate.extensions.get(`${arc}.${oid}`);
  if (extension === undefined) return undefined;
  const reader = new DerReader(extension.value, 'VEK certificate: patch level');
  const value = reader.smallInteger();
  reader.end();
  return value > 255 ? refuse('patch levels up to 255', `${value}`) : value;
}

function need(certificate: Certificate, oid: string, name: string): number {
  return level(certificate, oid) ?? refuse(name, 'none');
}

function string(certificate: Certificate, oid: string): string | undefined {
  const extension = certificate.extensions.get(`${arc}.${oid}`);
  if (extension === undefined) return undefined;
  const reader = new DerReader(extension.value, 'VEK certificate: name');
  const value = text.decode(reader.next(tags.ia5String).content);
  reader.end();
  return value;
}

/** The hardware id stands in the extension as raw bytes; an OCTET STRING around it is taken off. */
function hardwareId(certificate: Certificate): string | undefined {
  const value = certificate.extensions.get(`${arc}.4`)?.value;
  if (value === undefined) return undefined;
  if (value.length === 64 || value.length === 8) return toHex(value);
  const reader = new DerReader(value, 'VEK certificate: hardware id');
  const inner = reader.octetString();
  reader.end();
  return inner.length === 64 || inner.length === 8
    ? toHex(inner)
    : refuse('a hardware id of 64 or 8 bytes', `${inner.length}`);
}

/** Reads a certificate that is still attacker-controlled; throws `X509Error`. */
export function parseVek(certificate: Certificate): Vek {
  const name = certificate.subject.commonName;
  const kind = name.includes('SEV-VCEK')
    ? 'VCEK'
    : name.includes('SEV-VLEK')
      ? 'VLEK'
      : refuse('SEV-VCEK or SEV-VLEK', `"${name}"`);
  const hwId = hardwareId(certificate);
  const cspId = string(certificate, '5');
  // A key of one chip names the chip, a key of a provider the provider, and never both.
  if ((kind === 'VCEK') !== (hwId !== undefined) || (kind === 'VLEK') !== (cspId !== undefined))
    refuse(kind === 'VCEK' ? 'a hardware id alone' : 'a provider alone', 'another');
  const productName = string(certificate, '2') ?? refuse('a product name', 'none');
  const fmc = level(certificate, '3.9');
  const turin = productName.startsWith('Turin') || productName.startsWith('Venice');
  return {
    kind,
    productName,
    layout: turin ? 'turin' : 'milan',
    tcb: {
      fmc: turin ? (fmc ?? refuse('a patch level of the FMC', 'none')) : undefined,
      bootloader: need(certificate, '3.1', 'a patch level of the bootloader'),
      tee: need(certificate, '3.2', 'a patch level of the TEE'),
      snp: need(certificate, '3.3', 'a patch level of the SNP firmware'),
      microcode: need(certificate, '3.8', 'a patch level of the microcode'),
    },
    hwId,
    cspId,
  };
}
