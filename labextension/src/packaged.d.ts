/** The package's own description; the bundler puts in what is used of it. */
declare module '*/package.json' {
  const description: { readonly version: string };
  export default description;
}
