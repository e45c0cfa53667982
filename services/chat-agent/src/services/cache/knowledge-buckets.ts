/** Spaces share so many buckets: a change in one now and then counts for another, and nothing tells whose it was. */
const BUCKETS = 65_536

/** Of everything at once. */
export const EVERYTHING = BUCKETS

/** Ids are UUIDs, whose last digits are drawn at random. */
export const bucketOf = (spaceId: string): number => Number.parseInt(spaceId.slice(-4), 16)
