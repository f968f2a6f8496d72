import { byShape, invalid, transform, type Form } from '../form/form.ts';
import { list, map, oneOrList, optional, strict } from '../form/collection.ts';
import { boolean, integer, oneOf, text } from '../form/scalar.ts';
import { tolerations, type Security, type SecurityAttestation } from '../session.ts';
import { oneTimePasswordSecret, orReference, reference, withReferences } from './names.ts';

export const toleration = orReference<string>(oneOf(tolerations, { debug: 'debug-mode' }));
const advisory = orReference(
  transform(
    text({ expected: 'an advisory (INTEL-SA-00161)', pattern: /^(?:INTEL|intel)-(?:SA|sa)-[0-9]{5}$/ }),
    (value) => value.toUpperCase(),
  ),
);
const allAdvisories = transform(
  text({ expected: '"*" or a list of advisories', pattern: /^\*$/ }),
  () => '*' as const,
);
export const advisories: Form<readonly string[] | '*'> = byShape(
  {
    scalar: {
      schema: { const: '*' },
      read: (node, place) =>
        node.type === 'scalar' && node.text.startsWith('$$SCONE::')
          ? transform(reference, (value) => [value]).read(node, place)
          : allAdvisories.read(node, place),
    },
    list: {
      schema: { type: 'array', items: { type: 'string' } },
      read(node, place) {
        const only = node.type === 'list' && node.items.length === 1 ? node.items[0] : undefined;
        if (only?.type === 'scalar' && only.text === '*') return '*';
        const read = list(advisory, { of: 'advisories' }).read(node, place);
        return read === invalid ? invalid : sorted(read);
      },
    },
  },
  '"*" or a list of advisories',
);

const secretText = withReferences(text({ expected: 'a secret', minLength: 1, maxLength: 4096 }));

const attestationFields = {
  mode: strict(oneOf(['hardware', 'none', 'maa']), 'Which evidence is asked for; hardware if absent.'),
  tolerate: optional(
    oneOrList(toleration, { of: 'tolerations' }),
    'States of the platform that are accepted.',
  ),
  ignore_advisories: optional(advisories, 'Advisories that do not count, or "*".'),
  must_be_sgx_local: strict(boolean(), 'Only enclaves on the machine of CAS.'),
  trusted_scone_qe_pubkeys: optional(
    list(text({ expected: 'a key' }), { of: 'keys' }),
    'No longer used.',
    '`trusted_scone_qe_pubkeys` went with EPID and has no effect',
  ),
  url: optional(
    text({ expected: 'an https URL', pattern: /^https:\/\/[\x21-\x7e]+$/, maxLength: 2048 }),
    'The attestation provider of mode maa.',
  ),
  certificates: optional(
    oneOrList(text({ expected: 'a PEM certificate', maxLength: 16_384, minLength: 1 }), {
      min: 1,
      of: 'certificates',
    }),
    'Certificates of the attestation provider.',
  ),
  min_rsa_signing_key_size: optional(
    integer({ min: 1024, max: 16_384, expected: 'a key size in bits' }),
    'Smallest RSA key of the attestation provider.',
  ),
  one_time_password_shared_secret: strict(oneTimePasswordSecret, 'Secret of one-time passwords, base32.'),
} as const;

const defaultAttestation: SecurityAttestation = {
  mode: 'hardware',
  tolerate: [],
  ignoreAdvisories: [],
  mustBeSgxLocal: false,
};

export const attestation: Form<SecurityAttestation> = byShape(
  {
    scalar: transform(reference, (value): SecurityAttestation => ({
      ...defaultAttestation,
      reference: value,
    })),
    map: transform(
      map(attestationFields, 'security.attestation'),
      (value, node, place): SecurityAttestation => {
        const mode = value.mode ?? 'hardware';
        if (mode === 'maa' && value.url === undefined) {
          place.error(
            node.offset,
            'the url of the attestation provider expected beside mode maa, none found',
          );
        }
        if (mode === 'maa' && (value.certificates ?? []).length === 0) {
          place.warning(
            node.offset,
            'mode maa without certificates of the provider: no token can be verified, so nothing will start',
          );
        }
        if (mode === 'none')
          place.warning(node.offset, 'mode none: CAS asks for no evidence, everybody gets the secrets');
        return {
          mode,
          tolerate: sorted(value.tolerate ?? []),
          ignoreAdvisories: value.ignore_advisories ?? [],
          mustBeSgxLocal: value.must_be_sgx_local ?? false,
          trustedSconeQePubkeys: value.trusted_scone_qe_pubkeys,
          url: value.url,
          certificates: value.certificates,
          minRsaSigningKeySize: value.min_rsa_signing_key_size,
          oneTimePasswordSharedSecret: value.one_time_password_shared_secret,
        };
      },
    ),
  },
  'a map of attestation settings',
);

export const defaultSecurity: Security = { singletonEnclaves: false, attestation: defaultAttestation };

export const security: Form<Security> = byShape(
  {
    scalar: transform(reference, (value): Security => ({ ...defaultSecurity, reference: value })),
    map: transform(
      map(
        {
          attestation: optional(attestation, 'What evidence must show.'),
          singleton_enclaves: strict(boolean(), 'Each enclave may start once only.'),
          service_access_token: strict(secretText, 'Token that a service must present.'),
        },
        'security',
      ),
      (value): Security => ({
        singletonEnclaves: value.singleton_enclaves ?? false,
        serviceAccessToken: value.service_access_token,
        attestation: value.attestation ?? defaultAttestation,
      }),
    ),
  },
  'a map of security settings',
);

function sorted(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}
