/** The part that is used of Tesseract as WebAssembly (tesseract.js-core 7). */
declare module 'tesseract.js-core/tesseract-core-simd-lstm.js' {
  interface BaseApi {
    /** 0 when all is well. `mode` 1: the neural network. */
    Init(folder: string, languages: string, mode: number): number
    SetPageSegMode(mode: number): void
    /** Reads `/input`. 0 when it is a picture. `exif`: 1 as it was taken. */
    SetImageFile(exif: number, angle: number): number
    Recognize(monitor: null): number
    /** A row for each word, with its block, paragraph, line, and how sure it is, in per cent. */
    GetTSVText(page: number): string
    /** Writes `/image.png`. `type` 0: in its own colours. */
    WriteImage(type: number): void
    Clear(): void
  }
  interface Core {
    readonly FS: {
      writeFile(path: string, content: Uint8Array): void
      readFile(path: string): Uint8Array
      unlink(path: string): void
    }
    readonly TessBaseAPI: new () => BaseApi
  }
  export default function createCore(options: {
    readonly wasmBinary: Uint8Array
    print(line: string): void
    printErr(line: string): void
  }): Promise<Core>
}
