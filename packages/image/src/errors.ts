import { EnsconceError } from '@ensconce/base/errors';

/**
 * - `IMAGE_REFERENCE`: not `oci:DIR[:TAG]`, or a tag that the layout does not have
 * - `IMAGE_LAYOUT`, `IMAGE_SCHEMA`, `IMAGE_MEDIA_TYPE`: not an OCI image layout, or a part of it that is not known
 * - `IMAGE_PLATFORM`: no image for the wanted platform
 * - `IMAGE_BLOB_MISSING`, `IMAGE_DIGEST`: a blob that is not there, or is not what its descriptor says
 * - `IMAGE_COMPRESSION`, `IMAGE_TAR`: a layer that cannot be unpacked
 * - `IMAGE_COMMAND`, `IMAGE_TEXT`: a configuration that cannot become a policy
 * - `IMAGE_OUTPUT`: the output cannot be written
 * - `IMAGE_CONFIDENTIAL`: the input is confidential already
 */
export type ImageErrorCode =
  | 'IMAGE_REFERENCE'
  | 'IMAGE_LAYOUT'
  | 'IMAGE_SCHEMA'
  | 'IMAGE_MEDIA_TYPE'
  | 'IMAGE_PLATFORM'
  | 'IMAGE_BLOB_MISSING'
  | 'IMAGE_DIGEST'
  | 'IMAGE_COMPRESSION'
  | 'IMAGE_TAR'
  | 'IMAGE_COMMAND'
  | 'IMAGE_TEXT'
  | 'IMAGE_OUTPUT'
  | 'IMAGE_CONFIDENTIAL';

/** An image that cannot be read, or a confidential one that cannot be written. */
export class ImageError extends EnsconceError<ImageErrorCode> {}
