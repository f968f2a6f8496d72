import { generateKeyPairSync } from 'node:crypto';

const signer = () =>
  JSON.stringify(generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }));
const [a, b] = ['ab'.repeat(32), 'cd'.repeat(32)];
const wide = 'ef'.repeat(48);

/** A session that uses nearly every key of the language once. */
export const wholeSession = `name: ns/app
version: "0.3.12"
predecessor: ${a}
salt: ${'0f'.repeat(16)}
creator: {signer: ${signer()}}
access_policy:
  read: [CREATOR, 3s1pm8W63s1pm8W63s1pm8W63s1pm8W63s1pm8W6]
  update:
  - require-all:
    - require-at-least-2: [{signer: ${signer()}}, {signer: ${signer()}}, {signer: $$SCONE::theirs$$}]
    - require-all: [{signer: ${signer()}}]
  create_sessions: [NONE]
  list_sessions: [ANY]
services:
- name: app
  image_name: image
  command: [sh, -c, 'x "y"', "$$SCONE::key:hex$$", "@@1"]
  environment: {A: 1, '\\@\\@B': x, C: "$$SCONE::text|escape(json)$$", D: "  ", E: "0o7"}
  pwd: /srv
  fspf_path: /f.pb
  fspf_key: $$SCONE::key:hex$$
  fspf_tag: ${'0f'.repeat(16)}
  fspf_update_policy: no_rollback_protection
  attestation:
  - {mrenclave: [${a}, ${b}], signer: {mrsigner: ${b}, isvprodid: 1, isvsvn_min: 2}}
  - {signer: {mrsigner: $$SCONE::theirs$$, isvprodid: $$SCONE::theirs$$, isvsvn: 7}}
  - $$SCONE::frag$$
  - {mrenclave: ${a}, signer: $$SCONE::frag$$}
  platforms: ["INTEL_QE_ID:${'0f'.repeat(16)}"]
  one_time_password_shared_secret: $$SCONE::text$$
  ensconce: {user: "1000:1000", host_files: [/etc/resolv.conf], capabilities: [CAP_CHOWN], platforms: [${'0f'.repeat(16)}, ${'1e'.repeat(64)}, $$SCONE::theirs$$], tdx: {mrtd: ${wide}, rtmr0: ${wide}, rtmr1: ${wide}, rtmr2: ${wide}, image: [${a}, ${b}], mrseam: ${wide}, mrowner: ${wide}, mrownerconfig: ${wide}}, snp: [{measurement: ${wide}, vmpl: 1, image: ${a}, minimum_tcb: {fmc: 1, bootloader: 4, tee: 0, snp: 24, microcode: 219}, minimum_guest_svn: 7, id_key_digest: ${wide}, author_key_digest: ${wide}}]}
- {name: legacy, mrenclaves: [${a}], command: run}
images:
- name: image
  volumes: [{name: v, path: /v, update_policy: ephemeral}, {name: w, path: /w, ensconce: {durability: tag-follows-100ms}}]
  injection_files: [/a, {path: /b, content: "line\\nkey $$SCONE::text$$\\n", permission: 0o100}]
  provide_secrets: [key]
  mrenclaves: [${a}]
  ensconce: {layers: [{root: ${a}, key: "$$SCONE::key:hex$$"}, {root: ${b}, key: ${a}}]}
volumes:
- {name: v, files: authenticated-only, export: [{session: ../b}, {to: {session: c, session_hash: ${a}}, update_policy: ephemeral, volume_alias: w}]}
- {name: w, import: {session: d, volume: x}}
- {name: x, fspf_key: ${a}, fspf_tag: ${'0f'.repeat(16)}}
secrets:
- {name: key, kind: binary, size: 32, export: [{session: b, session_hash: ${a}}, {namespace: ns}]}
- {name: text, kind: ascii, value: "given: text", export_public: true}
- {name: bytes, kind: binary, value: 00ff}
- {name: frag, kind: config-fragment, value: {mrenclave: [${a}], deep: [1, {x: ~}]}}
- {name: k, kind: private-key, key_type: RSA-3072, migrate: true}
- {name: pub, kind: public-key, private_key: k}
- {name: ca, kind: x509-ca, private_key: k, valid_for: 90 days}
- {name: web, kind: x509, private_key: k, issuer: ca, common_name: "a b", endpoint: client, san: ["dns:a.b", "ip:::1"]}
- {name: pgp, kind: pgp-key}
- {name: j, kind: jwt, signer: k, alg: RS256, validity: {for: 24h}, payload: {sub: x, code: $$SCONE::self::software_identity$$}}
- {name: token, kind: aad-token, tenant_id: t, client_id: c, application_secret: hunter2}
- {name: vault, import_akv: {vault: v.example, secret_name: s, token: token, decryption_key: key}}
- {name: theirs, import: {session: ../other, secret: x, session_hash: ${b}}}
- {name: remote, import: {session: "cas.example.com/cas_key=abc,session=other", secret: x}}
security:
  singleton_enclaves: true
  service_access_token: $$SCONE::text$$
  attestation:
    mode: maa
    url: https://maa.example
    certificates: ["-----BEGIN CERTIFICATE-----"]
    tolerate: [outdated-tcb, maa-managed-tcb, $$SCONE::theirs$$]
    ignore_advisories: [INTEL-SA-00161]
    must_be_sgx_local: true
    one_time_password_shared_secret: ABCDEFGHABCDEFGHABCDEFGH22
secret_config: {store_in: !akv {token: token, vault: v.example}}
ensconce: {accept_simulation: true, minimum_tcb_date: 2025-01-31, advisory_grace_days: 30, minimum_evaluation_number: 17, ignore_advisories: {sgx: [INTEL-SA-00161], tdx: "*"}}
`;
