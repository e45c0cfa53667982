/** How the types of a family are read. */
export type FileFamily = (typeof FILE_FORMATS)[keyof typeof FILE_FORMATS]['family']

/** The types of files that ingestion reads, by MIME type. Extensions are in lower case. */
export const FILE_FORMATS = {
  'text/plain': {
    family: 'text',
    name: 'plain text',
    extensions: ['.txt', '.text', '.log', '.rst', '.adoc', '.org', '.tex', '.bib', '.ini', '.cfg', '.conf'],
  },
  'text/vtt': { family: 'captions', name: 'captions (WebVTT, SubRip)', extensions: ['.vtt', '.srt'] },
  'text/markdown': { family: 'markdown', name: 'Markdown', extensions: ['.md', '.markdown', '.mdx'] },
  'text/html': { family: 'html', name: 'HTML', extensions: ['.html', '.htm', '.xhtml'] },
  'text/csv': { family: 'table', name: 'CSV', extensions: ['.csv'] },
  'text/tab-separated-values': { family: 'table', name: 'TSV', extensions: ['.tsv', '.tab'] },
  'application/json': { family: 'json', name: 'JSON', extensions: ['.json', '.geojson', '.webmanifest', '.ipynb'] },
  'application/jsonl': { family: 'json-lines', name: 'JSON Lines', extensions: ['.jsonl', '.ndjson'] },
  'application/yaml': { family: 'code', name: 'YAML', extensions: ['.yaml', '.yml'] },
  'application/toml': { family: 'code', name: 'TOML', extensions: ['.toml'] },
  'application/xml': {
    family: 'xml',
    name: 'XML',
    extensions: ['.xml', '.xsd', '.xsl', '.xslt', '.rss', '.atom', '.svg', '.wsdl', '.plist'],
  },
  'application/rtf': { family: 'rtf', name: 'RTF', extensions: ['.rtf'] },
  'message/rfc822': { family: 'email', name: 'e-mail (EML)', extensions: ['.eml'] },
  'application/mbox': { family: 'mailbox', name: 'mailbox (MBOX)', extensions: ['.mbox', '.mbx'] },
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': {
    family: 'word',
    name: 'Word',
    extensions: ['.docx', '.docm', '.dotx'],
  },
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': {
    family: 'sheets',
    name: 'Excel',
    extensions: ['.xlsx', '.xlsm', '.xltx'],
  },
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': {
    family: 'slides',
    name: 'PowerPoint',
    extensions: ['.pptx', '.pptm', '.ppsx', '.potx'],
  },
  'application/vnd.oasis.opendocument.text': { family: 'open-document', name: 'OpenDocument text', extensions: ['.odt', '.ott'] },
  'application/vnd.oasis.opendocument.spreadsheet': {
    family: 'open-document',
    name: 'OpenDocument spreadsheet',
    extensions: ['.ods', '.ots'],
  },
  'application/vnd.oasis.opendocument.presentation': {
    family: 'open-document',
    name: 'OpenDocument presentation',
    extensions: ['.odp', '.otp'],
  },
  'application/epub+zip': { family: 'epub', name: 'EPUB', extensions: ['.epub'] },
  'application/zip': { family: 'zip', name: 'ZIP of such files', extensions: ['.zip'] },
  'application/pdf': { family: 'pdf', name: 'PDF', extensions: ['.pdf'] },
  'image/png': { family: 'image', name: 'PNG (the text in it)', extensions: ['.png'] },
  'image/jpeg': { family: 'image', name: 'JPEG (the text in it)', extensions: ['.jpg', '.jpeg'] },
  'image/webp': { family: 'image', name: 'WebP (the text in it)', extensions: ['.webp'] },
  'image/tiff': { family: 'image', name: 'TIFF (the text in it)', extensions: ['.tif', '.tiff'] },
  'image/gif': { family: 'image', name: 'GIF (the text in it)', extensions: ['.gif'] },
  'audio/wav': { family: 'recording', name: 'WAV (what is said)', extensions: ['.wav'] },
  'audio/mpeg': { family: 'recording', name: 'MP3 (what is said)', extensions: ['.mp3'] },
  'audio/mp4': { family: 'recording', name: 'M4A (what is said)', extensions: ['.m4a'] },
  'audio/ogg': { family: 'recording', name: 'Ogg (what is said)', extensions: ['.ogg', '.oga', '.opus'] },
  'audio/flac': { family: 'recording', name: 'FLAC (what is said)', extensions: ['.flac'] },
  'video/webm': { family: 'recording', name: 'WebM (what is said)', extensions: ['.webm', '.weba'] },
  'video/mp4': { family: 'recording', name: 'MP4 (what is said)', extensions: ['.mp4', '.m4v'] },
  'video/quicktime': { family: 'recording', name: 'QuickTime (what is said)', extensions: ['.mov'] },
  'video/matroska': { family: 'recording', name: 'Matroska (what is said)', extensions: ['.mkv', '.mka'] },
  'text/javascript': { family: 'code', name: 'JavaScript', extensions: ['.js', '.mjs', '.cjs', '.jsx'] },
  'text/x-typescript': { family: 'code', name: 'TypeScript', extensions: ['.ts', '.mts', '.cts', '.tsx'] },
  'text/x-python': { family: 'code', name: 'Python', extensions: ['.py', '.pyi'] },
  'text/x-java': { family: 'code', name: 'Java', extensions: ['.java'] },
  'text/x-kotlin': { family: 'code', name: 'Kotlin', extensions: ['.kt', '.kts'] },
  'text/x-scala': { family: 'code', name: 'Scala', extensions: ['.scala'] },
  'text/x-go': { family: 'code', name: 'Go', extensions: ['.go'] },
  'text/x-rust': { family: 'code', name: 'Rust', extensions: ['.rs'] },
  'text/x-c': { family: 'code', name: 'C', extensions: ['.c', '.h'] },
  'text/x-c++': { family: 'code', name: 'C++', extensions: ['.cc', '.cpp', '.cxx', '.hh', '.hpp'] },
  'text/x-csharp': { family: 'code', name: 'C#', extensions: ['.cs'] },
  'text/x-swift': { family: 'code', name: 'Swift', extensions: ['.swift'] },
  'text/x-ruby': { family: 'code', name: 'Ruby', extensions: ['.rb'] },
  'text/x-php': { family: 'code', name: 'PHP', extensions: ['.php'] },
  'text/x-perl': { family: 'code', name: 'Perl', extensions: ['.pl', '.pm'] },
  'text/x-lua': { family: 'code', name: 'Lua', extensions: ['.lua'] },
  'text/x-r': { family: 'code', name: 'R', extensions: ['.r'] },
  'text/x-dart': { family: 'code', name: 'Dart', extensions: ['.dart'] },
  'text/x-elixir': { family: 'code', name: 'Elixir', extensions: ['.ex', '.exs'] },
  'text/x-haskell': { family: 'code', name: 'Haskell', extensions: ['.hs'] },
  'text/x-shellscript': { family: 'code', name: 'shell', extensions: ['.sh', '.bash', '.zsh', '.fish', '.ps1', '.bat', '.cmd'] },
  'application/sql': { family: 'code', name: 'SQL', extensions: ['.sql'] },
  'text/css': { family: 'code', name: 'CSS', extensions: ['.css', '.scss', '.less'] },
  'text/x-source': {
    family: 'code',
    name: 'other source code',
    extensions: [
      '.vue',
      '.svelte',
      '.proto',
      '.graphql',
      '.gql',
      '.tf',
      '.hcl',
      '.gradle',
      '.cmake',
      '.nix',
      '.zig',
      '.clj',
      '.erl',
      '.ml',
      '.f90',
      '.jl',
    ],
  },
} as const

export type FileMime = keyof typeof FILE_FORMATS

const MIMES: ReadonlyMap<string, FileMime> = new Map(
  Object.keys(FILE_FORMATS)
    .filter(isFileMime)
    .flatMap((mime) => FILE_FORMATS[mime].extensions.map((extension) => [extension, mime])),
)

export function isFileMime(mime: string): mime is FileMime {
  return Object.hasOwn(FILE_FORMATS, mime)
}

export const familyOf = (mime: FileMime): FileFamily => FILE_FORMATS[mime].family

/** MIME type of an extension in any case, with the dot; `undefined` when it is not known. */
export const mimeOfExtension = (extension: string): FileMime | undefined => MIMES.get(extension.toLowerCase())

/** For people: what to send instead of a file that is not read. */
export const READABLE_KINDS =
  'text, Markdown, HTML, CSV, JSON, YAML, XML, source code, RTF, e-mail, PDF, documents of Office and OpenDocument, EPUB, pictures of texts, recordings of speech, or a ZIP of these'
