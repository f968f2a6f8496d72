import { encodeDescription, measureDescription } from '@ensconce/measurement/image';

const layers = ['1'.repeat(64), '2'.repeat(64)] as const;
export const serviceName = 'app';
/** Sessions are numbered from 0. */
export const sessionName = (index: number): string => `bench-${index}`;

/** The image that all services of the benchmark run, for the CAS with that identity. */
export function description(casIdentity: string): Uint8Array {
  return encodeDescription({
    format: 'ensconce-image/1',
    architecture: 'amd64',
    runtime: '3'.repeat(64),
    layers: [...layers],
    cas: { identity: casIdentity, simulated: true },
  });
}

/** A session with 20 secrets of the common kinds, all of which its service gets. */
export function sessionText(name: string, casIdentity: string): string {
  const ascii = Array.from({ length: 10 }, (_, i) => `ascii_${i}`);
  const binary = Array.from({ length: 3 }, (_, i) => `binary_${i}`);
  return `name: ${name}
version: "0.3.12"
ensconce:
  accept_simulation: true
services:
  - name: ${serviceName}
    image_name: image
    command: python3 /app/main.py --port 8080
    pwd: /app
    environment:
${ascii.map((secret) => `      ${secret.toUpperCase()}: "$$SCONE::${secret}$$"`).join('\n')}
${binary.map((secret) => `      ${secret.toUpperCase()}: "$$SCONE::${secret}:hex$$"`).join('\n')}
    attestation:
      - mrenclave: ["${measureDescription(description(casIdentity))}"]
images:
  - name: image
    injection_files:
      - {path: /etc/tls/key.pem, content: "$$SCONE::server:privatekey$$", permission: 0o400}
      - {path: /etc/tls/cert.pem, content: "$$SCONE::server:crt$$"}
      - {path: /etc/tls/ca.pem, content: "$$SCONE::ca:crt$$"}
      - {path: /etc/app/signing.pem, content: "$$SCONE::signing:pem$$", permission: 0o400}
    ensconce:
      layers:
${layers.map((root, i) => `        - {root: "${root}", key: "$$SCONE::layer_${i}:hex$$"}`).join('\n')}
secrets:
${ascii.map((secret) => `  - {name: ${secret}, kind: ascii, size: 32}`).join('\n')}
${binary.map((secret) => `  - {name: ${secret}, kind: binary, size: 32}`).join('\n')}
  - {name: layer_0, kind: binary, size: 32}
  - {name: layer_1, kind: binary, size: 32}
  - {name: signing, kind: private-key, key_type: P-256}
  - {name: server_key, kind: private-key, key_type: P-256}
  - {name: ca_key, kind: private-key, key_type: P-256}
  - {name: ca, kind: x509-ca, private_key: ca_key}
  - {name: server, kind: x509, private_key: server_key, issuer: ca, dns: app}
`;
}
