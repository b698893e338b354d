// Everything comes from our own origin under a strict policy: nothing is inlined as data: or style.
export default {
  base: "/",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    reportCompressedSize: false,
    emptyOutDir: true,
  },
  logLevel: "warn",
};
