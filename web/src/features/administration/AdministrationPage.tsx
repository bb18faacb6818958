import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useMe } from "../../api/session";
import { Failure } from "../../ui/Failure";
import { DevicesSection } from "./DevicesSection";
import { KeysSection } from "./KeysSection";
import { PeopleSection } from "./PeopleSection";
import { SettingsSection } from "./SettingsSection";
import { platformSections, type Section, sectionOf, sectionsOf } from "./sections";
import { TenantsSection } from "./TenantsSection";
import "./administration.css";

interface AdministrationPageProps {
  /** As the address names it; empty for the first one. */
  section: string;
  audit: ReactNode;
  installationAudit: ReactNode;
}

/** What administrators do, each in a place of its own. */
export function AdministrationPage({ section, audit, installationAudit }: AdministrationPageProps) {
  const { t } = useTranslation("administration");
  const me = useMe().data;
  if (!me) return null;
  const shown = sectionOf(me, section);
  if (!shown) return <Failure title={t("refused.title")} message={t("refused.hint")} />;
  const pages: Record<Section, ReactNode> = {
    devices: <DevicesSection />,
    keys: <KeysSection />,
    people: <PeopleSection me={me} />,
    settings: <SettingsSection />,
    audit,
    tenants: <TenantsSection />,
    "installation-audit": installationAudit,
  };
  const sections = sectionsOf(me);
  const ofPlatform = (each: Section) => platformSections.some((one) => one === each);
  const groups = [sections.filter((each) => !ofPlatform(each)), sections.filter(ofPlatform)].filter(
    (group) => group.length > 0,
  );
  return (
    <div className="administration">
      {sections.length > 1 && (
        <nav className="administration-places" aria-label={t("nav.label")}>
          {groups.map((group) => (
            <div key={group[0]} className="administration-group">
              {groups.length > 1 && (
                <span className="administration-group-name">
                  {group.some(ofPlatform) ? t("nav.platform") : (me.tenant?.name ?? "")}
                </span>
              )}
              {group.map((each) => (
                <Link
                  key={each}
                  href={`/administration/${each}`}
                  className="administration-place"
                  aria-current={each === shown ? "page" : undefined}
                >
                  {t(`nav.${each}`)}
                </Link>
              ))}
            </div>
          ))}
        </nav>
      )}
      <div className="administration-content">{pages[shown]}</div>
    </div>
  );
}
