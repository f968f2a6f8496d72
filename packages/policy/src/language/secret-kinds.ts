import { dictionary, map, oneOrList, optional, required, type Field } from '../form/collection.ts';
import { boolean, freeText, integer, oneOf, text } from '../form/scalar.ts';
import type { SecretKind } from '../session.ts';
import { duration } from './duration.ts';
import { anyData } from './fragment.ts';
import { secretName, withReferences } from './names.ts';

const valueText = freeText(262_144);
const size = integer({ min: 1, max: 65_536, expected: 'a size from 1 to 65536' });
export const line = text({ expected: 'one line of text', pattern: /^[^\r\n]{1,1024}$/ });

const san = text({
  expected: 'dns:NAME or ip:ADDRESS',
  pattern: /^(?:(?:dns|DNS):(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|(?:ip|IP):[0-9A-Fa-f.:]{2,45})$/,
});
const dnsName = text({
  expected: 'a DNS name',
  pattern: /^(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/,
});

const certificateFields = {
  value: optional(valueText, 'The certificate chain itself, PEM.'),
  private_key: optional(secretName, 'The private-key secret that the certificate is for.'),
  issuer: optional(secretName, 'The x509-ca secret that signs; self-signed if absent.'),
  common_name: optional(line, 'Subject common name; the secret’s name if absent.'),
  endpoint: optional(oneOf(['server', 'client']), 'Extended key usage; both if absent.'),
  dns: optional(
    oneOrList(dnsName, { of: 'DNS names' }),
    'DNS names.',
    '`dns` is written as `san: ["dns:NAME"]` today',
  ),
  san: optional(oneOrList(san, { of: 'alternative names' }), 'Alternative names: dns:NAME, ip:ADDRESS.'),
  valid_for: optional(duration, 'Validity; renewed before it ends.'),
} as const;

const payloadNames = {
  pattern: /^(?!(?:iat|nbf|exp|__proto__|prototype|constructor)$)\P{Cc}{1,256}$/u,
  expected: 'a claim other than iat, nbf and exp',
};

/** The parameters of each kind. */
export const kinds = {
  ascii: {
    value: optional(valueText, 'The value; generated if absent.'),
    size: optional(size, 'Characters to generate; 20 if absent.'),
  },
  binary: {
    value: optional(
      text({
        expected: 'an even number of hexadecimal digits',
        pattern: /^(?:[0-9a-fA-F]{2})*$/,
        maxLength: 262_144,
      }),
      'The value in hexadecimal; generated if absent.',
    ),
    size: optional(size, 'Bytes to generate; 20 if absent.'),
  },
  'private-key': {
    value: optional(valueText, 'The key itself, PEM; generated if absent.'),
    key_type: optional(oneOf(['P-256', 'P-384', 'Ed25519', 'RSA-2048', 'RSA-3072']), 'P-256 if absent.'),
    migrate: optional(boolean(), 'Whether an update keeps the key (set it in both versions).'),
  },
  'public-key': {
    value: optional(valueText, 'The key itself, PEM.'),
    private_key: optional(secretName, 'The private-key secret whose public half this is.'),
  },
  x509: certificateFields,
  'x509-ca': certificateFields,
  'aad-token': {
    tenant_id: required(line, 'Directory.'),
    client_id: required(line, 'Application.'),
    application_secret: optional(withReferences(line), 'Password of the application.'),
    private_key: optional(secretName, 'Private key of the application, with certificate_thumbprint.'),
    certificate_thumbprint: optional(line, 'Thumbprint of the application’s certificate.'),
  },
  'config-fragment': { value: required(anyData, 'Any structure; put in where it is referred to.') },
  'pgp-key': { value: optional(valueText, 'The key itself, ASCII-armoured; generated if absent.') },
  jwt: {
    signer: required(secretName, 'The private-key secret that signs.'),
    alg: optional(
      oneOf(['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256']),
      'That of the signer’s key type if absent.',
    ),
    validity: optional(
      map({ for: required(duration, 'How long a token is valid.') }, 'validity'),
      'Validity.',
    ),
    payload: optional(
      dictionary(payloadNames, withReferences(freeText()), 'a map of claims'),
      'Claims; values are strings.',
    ),
  },
} as const satisfies Readonly<Record<SecretKind, Readonly<Record<string, Field<unknown>>>>>;
export const secretKinds = Object.keys(kinds) as readonly SecretKind[];
