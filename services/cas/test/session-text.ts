/** A session with one service, as `ensconce image` writes them. */
export function sessionText(parts: {
  readonly name: string;
  readonly mrenclave: string;
  readonly predecessor?: string;
  readonly accessPolicy?: string;
  readonly acceptSimulation?: boolean;
  readonly service?: string;
  readonly security?: string;
  readonly layers?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}): string {
  const layers = (parts.layers ?? ['1'.repeat(64)])
    .map((root, i) => `        - {root: "${root}", key: "$$SCONE::layer_key_${i}:hex$$"}`)
    .join('\n');
  const environment = Object.entries(parts.environment ?? { TOKEN: '$$SCONE::token$$' })
    .map(([name, value]) => `      ${name}: "${value}"`)
    .join('\n');
  return `name: ${parts.name}
version: "0.3.12"
${parts.predecessor === undefined ? '' : `predecessor: ${parts.predecessor}\n`}ensconce:
  accept_simulation: ${String(parts.acceptSimulation ?? true)}
services:
  - name: ${parts.service ?? 'app'}
    image_name: image
    command: python3 /app/main.py "a b"
    pwd: /app
    environment:
${environment}
    attestation:
      - mrenclave: ["${parts.mrenclave}"]
    ensconce:
      user: "1000:1000"
      host_files: [/etc/resolv.conf]
images:
  - name: image
    injection_files:
      - path: /etc/app.conf
        content: "password=$$SCONE::password$$"
        permission: 0o400
    ensconce:
      layers:
${layers}
secrets:
  - {name: token, kind: ascii, size: 32}
  - {name: password, kind: ascii, value: "pass word"}
  - {name: layer_key_0, kind: binary, size: 32}
  - {name: layer_key_1, kind: binary, size: 32}
  - {name: public, kind: ascii, value: "to be seen", export_public: true}
${parts.accessPolicy === undefined ? '' : `access_policy:\n${parts.accessPolicy}\n`}${parts.security === undefined ? '' : `security:\n${parts.security}\n`}`;
}
