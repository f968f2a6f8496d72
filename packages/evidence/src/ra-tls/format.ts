import { isRaTlsCertificate, parseRaTlsCertificate } from './envelope.ts';
import { parseCarriedQuote } from './quote.ts';
import type { Format } from '../format.ts';

export const raTlsFormat: Format = {
  name: 'ra-tls',
  recognises: isRaTlsCertificate,
  fields: (bytes) => {
    const { certificate, kind, form, oid, bindings, claims, packaged } = parseRaTlsCertificate(bytes);
    return {
      kind,
      subject: certificate.subject.commonName,
      publicKey: certificate.spki,
      form,
      oid,
      reportDataMustBe: bindings.map((one) => `${one.hash} of ${one.of}`),
      claims: claims === undefined ? null : Object.fromEntries(claims.members),
      evidence: parseCarriedQuote(packaged.evidence).quote,
    };
  },
};
