/** A language that could not be told, as ISO 639-2 has it. */
export const UNKNOWN = 'und'
