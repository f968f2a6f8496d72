import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSession } from './parse.ts';
import { secretUses, usedSecrets } from './service-secrets.ts';
import { findService } from './session.ts';

const hash = 'ab'.repeat(32);
const secret = (name: string): string => `  - {name: ${name}, kind: binary, size: 32}`;
const names = ['argument', 'variable', 'file', 'layer', 'volume', 'template', 'unused'];

/** A session whose service gets a secret in each place. */
const text = (files: string): string => `name: uses
version: "0.3"
services:
  - name: app
    image_name: image
    command: app $$SCONE::argument:hex$$ $$SCONE::argument:hex$$
    environment: {A: "a$$SCONE::variable.hex$$b", B: plain}
    attestation: [{mrenclave: [${hash}]}]
images:
  - name: image
    injection_files:
${files}
    volumes: [{name: data, path: /data}]
    ensconce: {layers: [{root: ${hash}, key: "$$SCONE::layer:hex$$"}]}
volumes:
  - {name: data, fspf_key: "$$SCONE::volume:hex$$"}
secrets:
${names.map(secret).join('\n')}
`;

void test('the secrets that are used are those of all uses', () => {
  const files = '      - {path: /a, content: "$$SCONE::file$$"}\n';
  const found = [files, `${files}      - {path: /b}\n`].map((list) => {
    const { session, problems } = parseSession(text(list));
    assert.ok(session, JSON.stringify(problems));
    const service = findService(session, 'app');
    const used = usedSecrets(session, service);
    assert.deepEqual([...used], [...new Set(secretUses(session, service).map((use) => use.secret.name))]);
    return [...used];
  });
  const everywhere = names.slice(0, 5);
  assert.deepEqual(found, [everywhere, [...everywhere, 'template', 'unused']]);
});
