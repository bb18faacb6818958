import { createTheme, MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { useState } from "react";
import { useLocale } from "../texts/locale";
import { makeQueryClient } from "./queryClient";
import { Routes } from "./Routes";

const theme = createTheme({
  primaryColor: "cyan",
  defaultRadius: "md",
  cursorType: "pointer",
  components: {
    // The kit's scroll lock writes style elements, which the content security policy forbids.
    Modal: { defaultProps: { lockScroll: false } },
  },
});

export function App() {
  // Words, numbers and times are read while a component is drawn: a change draws them all anew.
  useLocale();
  const [queryClient] = useState(makeQueryClient);
  return (
    // Variables and classes come from style sheets, so that no style element is written at run time.
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queryClient}>
        <Routes />
      </QueryClientProvider>
    </MantineProvider>
  );
}
