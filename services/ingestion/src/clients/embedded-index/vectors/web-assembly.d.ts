/** What is used of the WebAssembly JavaScript interface (w3.org/TR/wasm-js-api-2), which only the types of browsers have. */
declare namespace WebAssembly {
  class Module {
    private readonly brand: unknown
  }
  class Memory {
    private readonly brand: unknown
    readonly buffer: ArrayBuffer
    /** By pages of 64 KiB. What was made of `buffer` before is empty then. */
    grow(pages: number): number
  }
  class Instance {
    constructor(module: Module)
    readonly exports: Readonly<Record<string, Memory | ((...numbers: number[]) => void)>>
  }
  function compile(bytes: Uint8Array): Promise<Module>
}
