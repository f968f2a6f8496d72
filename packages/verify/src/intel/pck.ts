import { toHex } from '@ensconce/base/bytes';
import { DerReader, tags } from '@ensconce/x509/der';
import { X509Error } from '@ensconce/x509/errors';
import type { Certificate } from '@ensconce/x509/certificate';

/** What Intel certified about the platform, from the SGX extensions of a PCK certificate (Intel SGX PCK Certificate Profile). */
export interface Pck {
  readonly ca: 'platform' | 'processor';
  /** Hexadecimal: 16 bytes. */
  readonly ppid: string;
  /** 16 component SVNs. */
  readonly components: readonly number[];
  readonly pceSvn: number;
  /** Hexadecimal: 16 bytes. */
  readonly cpuSvn: string;
  /** Hexadecimal: 2 bytes. */
  readonly pceId: string;
  /** Hexadecimal: 6 bytes. */
  readonly fmspc: string;
  /** 0 Standard, 1 Scalable, 2 Scalable with integrity. */
  readonly sgxType: number;
  /** Hexadecimal: 16 bytes; only from the platform CA. */
  readonly platformInstanceId: string | null;
  /** Only from the platform CA. */
  readonly configuration: {
    readonly dynamicPlatform: boolean | null;
    readonly cachedKeys: boolean | null;
    readonly smtEnabled: boolean | null;
  } | null;
}

const sgxExtension = '1.2.840.113741.1.13.1';
const what = 'PCK certificate: SGX extensions';

function refuse(expected: string, found: string): never {
  throw new X509Error('X509_STRUCTURE', `${what}: ${expected} expected, ${found} found`);
}

/** SEQUENCE of SEQUENCE {OID under `prefix`, value}: the values by the last arc, each once. */
function entries(reader: DerReader, prefix: string): Map<number, DerReader> {
  const values = new Map<number, DerReader>();
  while (!reader.done) {
    const entry = reader.sequence('entry');
    const oid = entry.oid();
    const arc = Number(oid.slice(prefix.length + 1));
    if (!oid.startsWith(`${prefix}.`) || !Number.isInteger(arc))
      refuse(`object identifiers below ${prefix}`, oid);
    if (values.has(arc)) refuse(`${oid} once`, 'it twice');
    values.set(arc, new DerReader(entry.next().whole, what));
    entry.end();
  }
  return values;
}

function need(values: ReadonlyMap<number, DerReader>, arc: number, name: string): DerReader {
  return values.get(arc) ?? refuse(name, 'none');
}

function readTcb(reader: DerReader): Pick<Pck, 'components' | 'pceSvn' | 'cpuSvn'> {
  const values = entries(reader, `${sgxExtension}.2`);
  const components: number[] = [];
  for (let i = 1; i <= 16; i++) {
    const svn = need(values, i, `TCB component ${i}`).smallInteger();
    if (svn > 255) refuse('component SVNs up to 255', `${svn}`);
    components.push(svn);
  }
  const pceSvn = need(values, 17, 'PCESVN').smallInteger();
  if (pceSvn > 65_535) refuse('a PCESVN up to 65535', `${pceSvn}`);
  return { components, pceSvn, cpuSvn: toHex(need(values, 18, 'CPUSVN').octetString('CPUSVN', 16)) };
}

function readConfiguration(reader: DerReader): Pck['configuration'] {
  const values = entries(reader, `${sgxExtension}.7`);
  const flag = (arc: number): boolean | null => values.get(arc)?.boolean() ?? null;
  return { dynamicPlatform: flag(1), cachedKeys: flag(2), smtEnabled: flag(3) };
}

/** Reads the SGX extensions of a certificate that is still attacker-controlled; throws `X509Error`. */
export function parsePck(certificate: Certificate): Pck {
  const extension = certificate.extensions.get(sgxExtension);
  if (extension === undefined) refuse('the extension', 'none');
  const outer = new DerReader(extension.value, what);
  const values = entries(outer.sequence(), sgxExtension);
  outer.end();
  return {
    ca: certificate.issuer.commonName.includes('Platform') ? 'platform' : 'processor',
    ppid: toHex(need(values, 1, 'PPID').octetString('PPID', 16)),
    ...readTcb(need(values, 2, 'TCB').sequence('TCB')),
    pceId: toHex(need(values, 3, 'PCEID').octetString('PCEID', 2)),
    fmspc: toHex(need(values, 4, 'FMSPC').octetString('FMSPC', 6)),
    sgxType: need(values, 5, 'SGX type').smallInteger('SGX type', tags.enumerated),
    platformInstanceId: values.has(6)
      ? toHex(need(values, 6, 'platform instance').octetString('platform instance id', 16))
      : null,
    configuration: values.has(7) ? readConfiguration(need(values, 7, 'configuration').sequence()) : null,
  };
}
