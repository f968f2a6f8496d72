import { Boolean as Asn1Boolean, Enumerated, Integer, ObjectIdentifier, OctetString, Sequence } from 'asn1js';
import { fromHex } from '@ensconce/base/bytes';
import type { PlatformSpec } from './platform.ts';

const base = '1.2.840.113741.1.13.1';

type Asn1Value = Integer | OctetString | Enumerated | Sequence | Asn1Boolean;

const entry = (oid: string, value: Asn1Value): Sequence =>
  new Sequence({ value: [new ObjectIdentifier({ value: oid }), value] });
const integer = (value: number): Integer => new Integer({ value });
const octets = (bytes: Uint8Array): OctetString =>
  new OctetString({ valueHex: Uint8Array.from(bytes).buffer });

/** The SGX extensions of a PCK certificate (Intel SGX PCK Certificate Profile): seven entries from the platform CA, five from the processor CA. */
export function encodeSgxExtension(spec: PlatformSpec): Uint8Array {
  const tcb = [
    ...spec.components.map((svn, i) => entry(`${base}.2.${i + 1}`, integer(svn))),
    entry(`${base}.2.17`, integer(spec.pceSvn)),
    entry(`${base}.2.18`, octets(Uint8Array.from(spec.components))),
  ];
  const entries = [
    entry(`${base}.1`, octets(fromHex(spec.ppid, 16))),
    entry(`${base}.2`, new Sequence({ value: tcb })),
    entry(`${base}.3`, octets(fromHex(spec.pceId, 2))),
    entry(`${base}.4`, octets(fromHex(spec.fmspc, 6))),
    entry(`${base}.5`, new Enumerated({ value: spec.ca === 'platform' ? 1 : 0 })),
  ];
  if (spec.ca === 'platform') {
    const flags = [false, true, spec.smtEnabled].map((value, i) =>
      entry(`${base}.7.${i + 1}`, new Asn1Boolean({ value })),
    );
    entries.push(entry(`${base}.6`, octets(fromHex(spec.platformInstanceId, 16))));
    entries.push(entry(`${base}.7`, new Sequence({ value: flags })));
  }
  return new Uint8Array(new Sequence({ value: entries }).toBER());
}
