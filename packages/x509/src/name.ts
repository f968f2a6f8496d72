import { DerReader, tags, type DerElement } from './der.ts';
import { oids } from './oid.ts';

/** A distinguished name. Two names are the same when their DER is (vendors encode theirs identically everywhere). */
export interface Name {
  readonly der: Uint8Array;
  /** The common name; empty where there is none. */
  readonly commonName: string;
}

const decoder = new TextDecoder('utf-8', { fatal: false });

/** At most this many attributes are looked at. */
const maximumAttributes = 64;

export function readName(reader: DerReader, what: string): Name {
  const element: DerElement = reader.next(tags.sequence, what);
  const relative = new DerReader(element.content, what);
  let commonName = '';
  for (let count = 0; !relative.done && count < maximumAttributes; count++) {
    const attributes = relative.set();
    while (!attributes.done) {
      const attribute = attributes.sequence();
      const type = attribute.oid();
      const value = attribute.next();
      attribute.end();
      if (type === oids.commonName) commonName = decoder.decode(value.content);
    }
  }
  return { der: element.whole, commonName };
}
