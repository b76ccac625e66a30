import type enAuth from './en-auth';
import type { Translated } from './index';

/** Die Texte der Wege ins Konto neben der einfachen Anmeldung, auf Deutsch. */
const deAuth: Translated<typeof enAuth> = {
  'register.title': 'Konto anlegen',
  'register.text': 'Ein Platz für deine Dateien, auf diesem Server.',
  'register.invitation': 'Einladung',
  'register.invitation.text': 'Neue Konten gibt es hier mit einer Einladung. Gib den Code ein, den du bekommen hast.',
  'register.invitation.missing': 'Bitte gib den Code deiner Einladung ein; er beginnt mit fmi_.',
  'register.invited.text': 'Du bist eingeladen. Wähle, womit du dich anmelden wirst.',
  'register.instead':
    'Du bist eingeladen. In diesem Browser tritt das neue Konto an die Stelle von {email}, jetzt angemeldet.',
  'register.haveInvitation': 'Ich habe eine Einladung',
  'register.closed.title': 'Keine offene Registrierung',
  'register.closed.text': 'Neue Konten legt hier ein Administrator an.',
  code: 'Code',
  'code.hint': 'Aus der E-Mail. Groß oder klein, Leerzeichen und Striche sind gleich.',
  'code.missing': 'Bitte gib den Code ein.',
  'verify.title': 'Adresse bestätigen',
  'verify.text': 'Ein Code ging an {email}. Er gilt einmal, eine Stunde lang.',
  'verify.textUnknown': 'Gib den Code ein, der dir geschickt wurde. Er gilt einmal, eine Stunde lang.',
  'verify.act': 'Bestätigen',
  'verify.resend': 'Neuen Code schicken',
  'verify.resent': 'Falls {email} auf einen Code wartet, ist ein neuer unterwegs.',
  'verify.done': 'Deine Adresse ist bestätigt',
  'verify.done.text': 'Alles ist für dich bereit.',
  'verify.goOn': 'Zu deinen Dateien',
  'forgot.title': 'Passwort vergessen?',
  'forgot.text': 'Nenne deine Adresse, dann schicken wir dir einen Code für ein neues Passwort.',
  'forgot.act': 'Code schicken',
  'forgot.haveCode': 'Ich habe einen Code',
  'reset.title': 'Neues Passwort setzen',
  'reset.text':
    'Falls es ein Konto mit {email} gibt, ist ein Code dorthin unterwegs. Er gilt einmal, eine Stunde lang.',
  'reset.textUnknown': 'Gib den Code ein, der dir geschickt wurde, und ein neues Passwort.',
  'reset.act': 'Passwort setzen',
  'reset.again': 'Neuen Code schicken',
  'reset.done': 'Dein Passwort ist gesetzt',
  'reset.done.text': 'Alle Anmeldungen deines Kontos sind beendet. Melde dich mit dem neuen Passwort an.',
  'second.title': 'Anmeldung in zwei Schritten',
  'second.text': 'Gib die sechs Ziffern ein, die deine Authenticator-App zeigt.',
  'second.code': 'Code der App',
  'second.recovery': 'Wiederherstellungscode',
  'second.recovery.text': 'Gib einen der Wiederherstellungscodes ein, die du aufbewahrt hast. Jeder gilt einmal.',
  'second.recovery.wrong': 'Dieser Wiederherstellungscode stimmt nicht oder wurde schon benutzt. Nimm einen anderen.',
  'second.useRecovery': 'Wiederherstellungscode benutzen',
  'second.useApp': 'App benutzen',
  'provider.other': 'oder',
  'provider.by': 'Mit {title} anmelden',
  'provider.failed': 'Du bist nicht angemeldet',
  'provider.back': 'Zurück zur Anmeldung',
  'provider.state':
    'Diese Anmeldung wurde in einem anderen Browser begonnen, oder vor zu langer Zeit. Bitte versuche es noch einmal.',
  'provider.refused': 'Der Identitätsanbieter hat dich nicht angemeldet.',
  'provider.answer':
    'Der Antwort des Identitätsanbieters ist nicht zu trauen. Wenn das wieder geschieht, sage es denen, die diesen Server betreiben.',
  'provider.unavailable':
    'Der Identitätsanbieter antwortet nicht. Bitte versuche es später noch einmal, oder melde dich anders an.',
  'provider.unverified':
    'Der Identitätsanbieter sagt nicht, dass deine Adresse bestätigt ist. Bestätige sie zuerst dort.',
  'provider.noSignUp': 'Du hast hier noch kein Konto. Konten legt eine Administratorin oder ein Administrator an.',
  'provider.closed': 'Dein Konto ist gesperrt.',
  'provider.linkRequired':
    'Mit deiner Adresse gibt es schon ein Konto. Melde dich mit seinem Passwort an; unter Konto, Anmeldung kannst du diesen Weg verknüpfen.',
  'provider.taken': 'Diese Identität öffnet schon ein anderes Konto.',
  'provider.other.failure': 'Das ging nicht. Bitte versuche es noch einmal.',
  'second.back': 'Mit einem anderen Konto anmelden',
};

export default deAuth;
