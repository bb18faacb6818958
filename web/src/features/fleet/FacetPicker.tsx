import { Button, Checkbox, TextInput } from "@mantine/core";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { formatCount } from "../../ui/format";
import { Icon } from "../../ui/Icon";

export interface Facet {
  value: string;
  /** How it reads; an empty location has words of its own. */
  label: string;
  devices: number;
}

/** So many are listed; the words find the others. */
const SHOWN = 100;
const SEARCHED_FROM = 8;

/** A filter with several choices, each with how many devices it would show. */
export function FacetPicker(props: {
  name: string;
  /** None yet while they are read. */
  facets: Facet[] | undefined;
  chosen: string[];
  onChange(chosen: string[]): void;
}) {
  const { t } = useTranslation("fleet");
  const [open, setOpen] = useState(false);
  const [words, setWords] = useState("");
  const panel = useId();
  const frame = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open) return;
    const close = (event: Event) => {
      if (!frame.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("focusin", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("focusin", close);
    };
  }, [open]);

  const leave = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    setOpen(false);
    button.current?.focus();
  };

  const gone = props.chosen.filter((value) => !props.facets?.some((facet) => facet.value === value));
  const all = [...gone.map((value) => ({ value, label: value, devices: 0 })), ...(props.facets ?? [])];
  const wanted = words.trim().toLocaleLowerCase();
  const found = all.filter(({ label }) => label.toLocaleLowerCase().includes(wanted));
  const choose = (value: string, on: boolean) =>
    props.onChange(on ? [...props.chosen, value] : props.chosen.filter((other) => other !== value));

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes the panel wherever in it the focus is
    <div className="facet" ref={frame} onKeyDown={leave}>
      <Button
        ref={button}
        variant="default"
        aria-expanded={open}
        aria-controls={panel}
        rightSection={<Icon name="down" size={14} />}
        onClick={() => setOpen(!open)}
        disabled={props.facets !== undefined && all.length === 0}
      >
        {props.chosen.length > 0 ? t("filter.chosen", { name: props.name, count: props.chosen.length }) : props.name}
      </Button>
      {open && (
        <fieldset className="facet-panel card" id={panel} aria-label={props.name}>
          {all.length > SEARCHED_FROM && (
            <TextInput
              size="xs"
              type="search"
              aria-label={t("filter.find", { name: props.name })}
              placeholder={t("filter.find", { name: props.name })}
              value={words}
              onChange={(event) => setWords(event.currentTarget.value)}
              data-autofocus
            />
          )}
          <div className="facet-list">
            {found.slice(0, SHOWN).map(({ value, label, devices }) => (
              <div key={value} className="facet-line">
                <Checkbox
                  size="sm"
                  label={label}
                  checked={props.chosen.includes(value)}
                  onChange={(event) => choose(value, event.currentTarget.checked)}
                />
                <span className="muted small number">{formatCount(devices)}</span>
              </div>
            ))}
            {found.length > SHOWN && (
              <p className="muted small">{t("filter.moreNames", { number: formatCount(found.length - SHOWN) })}</p>
            )}
            {found.length === 0 && <p className="muted small">{t("filter.noName")}</p>}
          </div>
        </fieldset>
      )}
    </div>
  );
}
