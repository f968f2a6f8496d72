/** A session with one service, `app`, that gets its secrets by its environment. */
export interface SessionOfSecrets {
  readonly name: string;
  /** Measurement and only layer of the image that is `app`. */
  readonly mrenclave: string;
  readonly layer: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** YAML lines of `secrets`, two spaces in. */
  readonly secrets: string;
  /** YAML at the top level. */
  readonly more?: string;
  readonly command?: string;
  /** YAML of the service, four spaces in. */
  readonly service?: string;
}

export function sessionOfSecrets(parts: SessionOfSecrets): string {
  return `name: ${parts.name}
version: "0.3.12"
ensconce: {accept_simulation: true}
${parts.more ?? ''}
services:
  - name: app
    image_name: image
    ${parts.service ?? ''}command: ${JSON.stringify(parts.command ?? '/bin/app')}
    environment: ${JSON.stringify(parts.environment ?? {})}
    attestation: [{mrenclave: ["${parts.mrenclave}"]}]
images:
  - name: image
    ensconce: {layers: [{root: "${parts.layer}", key: "$$SCONE::layer:hex$$"}]}
secrets:
  - {name: layer, kind: binary, size: 32}
${parts.secrets}`;
}
