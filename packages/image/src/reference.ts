import { ImageError } from './errors.ts';

/** An image in an OCI image layout on disk. */
export interface LayoutReference {
  readonly directory: string;
  readonly tag: string | undefined;
}

/** Reads `oci:DIR[:TAG]`. A colon belongs to the directory where a path goes on behind it (`oci:C:\images`). */
export function parseReference(text: string): LayoutReference {
  const match = /^oci:(.+?)(?::([A-Za-z0-9][A-Za-z0-9._+@-]{0,127}))?$/.exec(text);
  if (match?.[1] === undefined) {
    throw new ImageError('IMAGE_REFERENCE', `image: oci:DIR[:TAG] expected, ${JSON.stringify(text)} found`, {
      hint: 'copy an image from elsewhere first: skopeo copy docker://NAME oci:DIR:TAG',
    });
  }
  return { directory: match[1], tag: match[2] };
}
