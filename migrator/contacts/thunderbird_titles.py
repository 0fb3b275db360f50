"""What Thunderbird calls the columns of its CSV in several languages, and the attributes of its LDIF.

The first title of a line is Thunderbird's own, others have been met in other versions. A French file calls the town at home and the one
at work both Ville: they are told by their order.
"""

from __future__ import annotations

from typing import Final

_TITLES = """First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email,Screen Name,Work Phone,Home Phone,Fax Number,\
Pager Number,Mobile Number,Home Address,Home Address 2,Home City,Home State,Home ZipCode,Home Country,Work Address,Work Address 2,\
Work City,Work State,Work ZipCode,Work Country,Job Title,Department,Organization,Web Page 1,Web Page 2,Birth Year,Birth Month,Birth Day,\
Custom 1,Custom 2,Custom 3,Custom 4,Notes"""
ENGLISH: Final = tuple(_TITLES.split(","))


def _lines(titles: str) -> tuple[str, ...]:
    return tuple(f"{name}={title}" for name, title in zip(ENGLISH, titles.replace("\n", "").split(","), strict=True))


OF: Final = {
    "en": ENGLISH,
    "de": _lines("""Vorname,Nachname,Anzeigename,Spitzname,Primäre E-Mail-Adresse,Sekundäre E-Mail-Adresse,Messenger-Name,Tel. dienstlich,
Tel. privat,Fax-Nummer,Pager-Nummer,Mobil-Tel.-Nr.,Privat: Adresse,Privat: Adresse 2,Privat: Ort,Privat: Bundesland,Privat: PLZ,Privat: Land,
Dienstlich: Adresse,Dienstlich: Adresse 2,Dienstlich: Ort,Dienstlich: Bundesland,Dienstlich: PLZ,Dienstlich: Land,Arbeitstitel|Titel,
Abteilung,Organisation,Webseite 1,Webseite 2,Geburtsjahr,Geburtsmonat,Geburtstag,Benutzerdef. 1|Benutzerdefiniert 1,
Benutzerdef. 2|Benutzerdefiniert 2,Benutzerdef. 3|Benutzerdefiniert 3,Benutzerdef. 4|Benutzerdefiniert 4,Notizen"""),
    "fr": _lines("""Prénom,Nom de famille,Nom à afficher,Surnom,Adresse électronique principale,Adresse électronique secondaire,
Nom de l'écran|Pseudo,Tél. professionnel,Tél. personnel,Fax,Pager,Portable,Adresse privée,Adresse privée 2,Ville,Pays/État,Code postal,
Pays/Région (domicile),Adresse professionnelle,Adresse professionnelle 2,Ville,Pays/État,Code postal,Pays/Région (bureau),Profession,Service,
Société,Site web 1,Site web 2,Année de naissance,Mois,Jour,Divers 1,Divers 2,Divers 3,Divers 4,Notes"""),
    "es": _lines("""Nombre,Apellidos|Apellido,Nombre a mostrar|Mostrar nombre,Apodo|Alias,
Dirección de correo electrónico primaria|Correo electrónico primario|Correo electrónico principal,
Dirección de correo electrónico secundaria|Correo electrónico secundario|Correo secundario,Nombre de pantalla|Nick,
Teléfono del trabajo|Teléfono de trabajo,Teléfono de casa|Teléfono particular,Fax|Número de fax,Buscapersonas|Número de localizador,
Móvil|Número de móvil,Dirección de casa|Dirección personal,Dirección de casa 2|Dirección personal 2,Ciudad de casa|Ciudad personal,
Provincia de casa|Provincia personal,Código postal de casa|CP personal,País de casa|País personal,Dirección del trabajo|Dirección de trabajo,
Dirección del trabajo 2|Dirección de trabajo 2,Ciudad del trabajo|Ciudad de trabajo,Provincia del trabajo|Provincia de trabajo,
Código postal del trabajo|CP de trabajo,País del trabajo|País de trabajo,Título|Puesto|Tratamiento,Departamento,Organización,Página web 1,
Página web 2,Año de nacimiento,Mes de nacimiento,Día de nacimiento,Personalizado 1|Pers. 1,Personalizado 2|Pers. 2,
Personalizado 3|Pers. 3,Personalizado 4|Pers. 4,Notas"""),
    "it": _lines("""Nome,Cognome,Nome visualizzato,Soprannome,Email primaria|Indirizzo email primario,
Email secondaria|Indirizzo email secondario,Nome Instant Messenger|Nome visualizzato in chat,Telefono lavoro|Telefono di lavoro,
Telefono casa|Telefono di casa,Numero fax|Fax,Numero cercapersone|Cercapersone,Numero cellulare|Cellulare,Indirizzo di casa,
Indirizzo di casa 2,Città di residenza,Provincia di residenza,CAP di residenza,Nazione di residenza,Indirizzo di lavoro,
Indirizzo di lavoro 2,Città di lavoro,Provincia di lavoro,CAP di lavoro,Nazione di lavoro,Qualifica,Reparto,Organizzazione,Pagina web 1,
Pagina web 2,Anno di nascita,Mese di nascita,Giorno di nascita,Personalizzato 1,Personalizzato 2,Personalizzato 3,Personalizzato 4,Note"""),
    "pt": _lines("""Nome|Primeiro nome,Sobrenome|Apelido|Último nome,Nome de exibição|Nome a mostrar|Mostrar como,Alcunha|Apelido,
E-mail principal|Email principal|Endereço de email principal,E-mail secundário|Email secundário|Endereço de email secundário,
Nome de tela|Nome no chat,Telefone do trabalho|Tel. do trabalho|Telefone comercial,Telefone de casa|Tel. de casa|Telefone residencial,
Fax|Número de fax,Pager|Número do pager,Telemóvel|Celular|Número do celular,Endereço residencial|Morada de casa,
Endereço residencial 2|Morada de casa 2,Cidade residencial|Cidade de casa,Estado residencial|Distrito de casa,
CEP residencial|Código postal de casa,País residencial|País de casa,Endereço comercial|Morada do trabalho,
Endereço comercial 2|Morada do trabalho 2,Cidade comercial|Cidade do trabalho,Estado comercial|Distrito do trabalho,
CEP comercial|Código postal do trabalho,País comercial|País do trabalho,Cargo|Título,Departamento,Organização|Empresa,Página web 1|Página da web 1,
Página web 2|Página da web 2,Ano de nascimento,Mês de nascimento,Dia de nascimento,Personalizado 1,Personalizado 2,Personalizado 3,
Personalizado 4,Notas|Anotações"""),
}
LANGUAGES: Final = tuple(OF)

# The attribute of a column that is written first, then others that mean it (Thunderbird's older ones, Horde's, LDAP's).
ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "First Name": ("givenName", "gn"),
    "Last Name": ("sn", "surname"),
    "Display Name": ("cn", "commonName", "displayName"),
    "Nickname": ("mozillaNickname", "xmozillanickname"),
    "Primary Email": ("mail", "rfc822Mailbox", "emailAddress"),
    "Secondary Email": ("mozillaSecondEmail", "xmozillasecondemail"),
    "Screen Name": ("nsAIMid", "nscpaimscreenname"),
    "Work Phone": ("telephoneNumber",),
    "Home Phone": ("homePhone", "homeTelephoneNumber"),
    "Fax Number": ("facsimileTelephoneNumber", "fax"),
    "Pager Number": ("pager", "pagerphone"),
    "Mobile Number": ("mobile", "cellphone", "carphone", "mobileTelephoneNumber"),
    "Home Address": ("mozillaHomeStreet", "homeStreet"),
    "Home Address 2": ("mozillaHomeStreet2",),
    "Home City": ("mozillaHomeLocalityName",),
    "Home State": ("mozillaHomeState",),
    "Home ZipCode": ("mozillaHomePostalCode",),
    "Home Country": ("mozillaHomeCountryName",),
    "Work Address": ("street", "streetAddress", "postalAddress", "postOfficeBox"),
    "Work Address 2": ("mozillaWorkStreet2",),
    "Work City": ("l", "locality", "localityName"),
    "Work State": ("st", "region", "stateOrProvinceName"),
    "Work ZipCode": ("postalCode", "zip"),
    "Work Country": ("c", "countryName", "co"),
    "Job Title": ("title",),
    "Department": ("ou", "department", "departmentNumber", "orgunit", "organizationalUnitName"),
    "Organization": ("o", "company", "organizationName"),
    "Web Page 1": ("mozillaWorkUrl", "workurl", "labeledURI"),
    "Web Page 2": ("mozillaHomeUrl", "homeurl"),
    "Birth Year": ("birthyear",),
    "Birth Month": ("birthmonth",),
    "Birth Day": ("birthday",),
    "Custom 1": ("mozillaCustom1", "custom1"),
    "Custom 2": ("mozillaCustom2", "custom2"),
    "Custom 3": ("mozillaCustom3", "custom3"),
    "Custom 4": ("mozillaCustom4", "custom4"),
    "Notes": ("description", "notes"),
}
